"""The indicators that the diagnosis rests on, and the panel they are read into (诊断指标)."""

from __future__ import annotations

import pandas as pd

# Of a province's digital infrastructure and its use, and of what its data yield.
DATA_INPUTS = ("broadband_ports", "mobile_internet_traffic")
DATA_OUTPUTS = ("software_revenue", "ecommerce_sales", "technology_market_turnover")

DIGITAL = {
    "infrastructure": (
        "broadband_ports_per_100_persons",
        "broadband_subscribers_per_100_persons",
        "mobile_internet_users_per_100_persons",
        "mobile_internet_traffic_per_capita",
        "domain_names_per_1000_persons",
    ),
    "digital_industry": ("software_revenue_share", "it_services_revenue_per_capita"),
    "industrial_digitisation": (
        "computers_per_100_employees",
        "websites_per_100_enterprises",
        "ecommerce_enterprise_share",
        "ecommerce_sales_share",
    ),
}
# The digital system whose coupling with the real economy is part of coordination: neither the revenues that
# concentration is measured by nor the platforms that stand beside it, or a cause would be its own effect.
DIGITAL_USE = {
    "infrastructure": DIGITAL["infrastructure"],
    "industrial_digitisation": ("computers_per_100_employees", "ecommerce_sales_share"),
}
REAL = {
    "output": ("gdp_per_capita",),
    "structure": ("industrial_upgrading",),
    "innovation": ("rd_intensity", "patents_per_10000_persons"),
    "openness": ("goods_trade_share",),
}
_REST, _IT, _EMBEDDED = "software_products_and_security", "it_services_revenue", "embedded_software_revenue"
PLATFORMS = ("websites_per_100_enterprises", "ecommerce_enterprise_share")
INDUSTRIES = {
    "software_products_and_security": "digital",
    "it_services_revenue": "digital",
    "embedded_software_revenue": "digital",
    "ecommerce_sales": "trade",
    "value_added_wholesale_retail": "trade",
    "value_added_hotels_catering": "trade",
    "value_added_industry": "production",
    "value_added_construction": "production",
    "value_added_transport_post": "production",
    "value_added_finance": "services",
    "value_added_real_estate": "services",
    "value_added_other_services": "services",
}


def load_province_panel(years="2016:2023") -> pd.DataFrame:
    """Load the provinces' indicators for the years in which the diagnosis has them all; Tibet has no software figures.

    Returns
    -------
    DataFrame
        Indexed by (adcode, year), complete.
    """
    from clusterlib.data import load_panel

    names = [*DATA_INPUTS, *DATA_OUTPUTS, "gdp", "software_exports", "software_revenue", "goods_trade_share"]
    names += [name for group in (*DIGITAL.values(), *REAL.values()) for name in group]
    names += [*(name for name in INDUSTRIES if name != _REST), _IT, _EMBEDDED]
    panel = load_panel("province", list(dict.fromkeys(names)), years=years)
    # Where a province has software revenue but no line for exports or embedded software, there was none to report.
    reported = panel["software_revenue"].notna()
    panel[["software_exports", _EMBEDDED]] = panel[["software_exports", _EMBEDDED]].where(
        lambda part: part.notna() | ~reported.to_numpy()[:, None], 0.0
    )
    return panel.dropna()


def industry_table(panel: pd.DataFrame) -> pd.DataFrame:
    """Return the province by industry table in 1e8 yuan: value added, and revenue where there is no value added.

    Software products and information security are what software revenue leaves beside services and embedded software:
    their own lines are not complete.
    """
    rest = (panel["software_revenue"] - panel[_IT] - panel[_EMBEDDED]).clip(lower=0.0)
    table = panel.assign(**{_REST: rest})[list(INDUSTRIES)].copy()
    table[[_REST, _IT, _EMBEDDED]] /= 10_000
    return table
