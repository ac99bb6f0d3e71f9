"""Data dormancy and small places: estimators, figures from the raw tables, and what the claims' rules make of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clusterlib as cl
from clusterlib.errors import InvalidInputError
from clusterlib.study import _dormancy as dormancy
from clusterlib.study.claims import judge, load_claims

PROVINCES, CITIES = 24, 6
METHODS = ("constant", "variable", "non_increasing", "order_m", "stochastic")


def make_country(seed: int = 0, gap: float = 0.0) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """Cities of provinces on a line, 300 kilometres apart; those of the first two get a gap."""
    random = np.random.default_rng(seed)
    units = pd.RangeIndex(PROVINCES * CITIES)
    province = pd.Series(units // CITIES, units)
    x = random.normal(size=len(units))
    error = random.normal(size=PROVINCES)[province] + 0.5 * random.normal(size=len(units))
    data = pd.DataFrame({"x": x, "x2": x**2, "y": 3 + 2 * x - x**2 + error + gap * (province < 2)}, units)
    far = pd.DataFrame(300.0 * np.abs(np.subtract.outer(range(PROVINCES), range(PROVINCES))))
    return data, province, far


def make_design(units: int = 1) -> tuple[dormancy.GapDesign, np.ndarray, np.ndarray]:
    data, province, far = make_country()
    own = (province < 2).to_numpy()
    return dormancy.GapDesign(np.ones((len(data), 1)), own, province.to_numpy(), far.to_numpy()), own, far.to_numpy()


def test_a_gap_is_the_mean_residual_from_the_curve_of_provinces_elsewhere():
    data, province, far = make_country(gap=5.0)
    found = cl.study.region_gap(data, "y", ["x", "x2"], range(2 * CITIES), province, far)
    own = data.index < 2 * CITIES
    curve = np.polyfit(data["x"][~own], data["y"][~own], 2)
    assert found["estimate"] == pytest.approx((data["y"][own] - np.polyval(curve, data["x"][own])).mean())
    assert (found["units"], found["provinces"], found["df"]) == (2 * CITIES, 2, PROVINCES - 2 - 3)
    assert found["lower"] < 5 < found["upper"]
    assert found["lower"] > 0


def test_expected_sums_of_squares_are_those_of_full_matrices():
    data, province, far = make_country()
    own = (province < 2).to_numpy()
    X = np.column_stack([np.ones(len(data)), data["x"]])
    plan = dormancy.GapDesign(X, own, province.to_numpy(), far.to_numpy())
    out = X[~own]
    M = np.eye(len(out)) - out @ np.linalg.inv(out.T @ out) @ out.T
    Z = np.eye(PROVINCES)[province[~own]][:, 2:]
    mean = Z / CITIES
    near = 1.0 * ((far <= 800) & (far > 0)).to_numpy()[2:, 2:]
    forms = [np.eye(len(out)) - Z @ mean.T, mean @ mean.T, mean @ near @ mean.T]
    R = np.exp(-far.to_numpy()[2:, 2:] / 500)
    place = list(dormancy._REACHES).index(500)
    for i, form in enumerate(forms):
        assert plan.of_units[i] == pytest.approx(np.trace(M @ form @ M), abs=1e-9)
        assert plan.of_provinces[place, i] == pytest.approx(np.trace(M @ form @ M @ Z @ R @ Z.T))


@pytest.mark.parametrize("reach", [0, 500])
def test_intervals_hold_a_gap_of_nil_in_nineteen_cases_of_twenty(reach):
    plan, own, far = make_design()
    random = np.random.default_rng(1)
    alike = np.exp(-far / reach) if reach else np.eye(PROVINCES)
    shocks = np.linalg.cholesky(alike) @ random.normal(size=(PROVINCES, 2000))
    y = 2 * np.repeat(shocks, CITIES, axis=0) + random.normal(size=(len(own), 2000))
    table = plan.estimate(y)
    covered = ((table["lower"] <= 0) & (table["upper"] >= 0)).mean()
    assert 0.92 <= covered <= 0.975
    assert table["between"].pow(2).mean() ** 0.5 == pytest.approx(2, rel=0.3)
    assert table["within"].mean() == pytest.approx(1, rel=0.05)


def test_a_gap_as_large_as_the_smallest_detectable_is_found_four_times_in_five():
    plan, own, _ = make_design()
    random = np.random.default_rng(2)
    y = np.repeat(random.normal(size=(PROVINCES, 3000)), CITIES, axis=0) + random.normal(size=(len(own), 3000))
    seen = plan.estimate(y)["detectable"].median()
    found = plan.estimate(y + seen * own[:, None])["p_value"] < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.05)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 500), st.floats(0.1, 100), st.floats(-5, 5))
def test_a_gap_moves_with_the_unit_of_measure_and_not_with_what_the_curve_holds(seed, scale, slope):
    data, province, far = make_country(seed)
    own, names = range(2 * CITIES), ["x", "x2"]
    row = cl.study.region_gap(data, "y", names, own, province, far)
    moved = data.assign(y=scale * data["y"] + 7 + slope * data["x"]).iloc[::-1]
    other = cl.study.region_gap(moved, "y", names, own, province, far.iloc[::-1, ::-1])
    parts = ["estimate", "std_error", "lower", "upper", "detectable"]
    assert other[parts].to_numpy() == pytest.approx(scale * row[parts].to_numpy(), rel=1e-6, abs=1e-6 * scale)
    assert other["reach"] == row["reach"]


def test_other_units_of_the_regions_provinces_count_on_neither_side():
    data, province, far = make_country()
    own = [0, 1, CITIES]
    row = cl.study.region_gap(data, "y", "x", own, province, far)
    changed = data.copy()
    changed.loc[[2, 3, CITIES + 1], "y"] = 1e6
    pd.testing.assert_series_equal(cl.study.region_gap(changed, "y", "x", own, province, far), row)


def test_a_region_without_units_has_no_gap():
    data, province, far = make_country()
    row = cl.study.region_gap(data, "y", "x", [-1], province, far)
    assert (row["units"], row["df"]) == (0, 0)
    assert np.isnan(row["estimate"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"province": lambda p: p.iloc[1:]}, "province: none for 0"),
        ({"kilometres": lambda k: k.iloc[1:, 1:]}, "kilometres: province 0 is missing"),
        ({"data": lambda d: d.iloc[: 7 * CITIES]}, "5 provinces elsewhere for 2 coefficients: expected at least 7"),
        ({"data": lambda d: d.assign(x=np.nan)}, "leave out the unit"),
    ],
)
def test_what_cannot_be_estimated_is_refused_by_name(change, message):
    given_ = dict(zip(("data", "province", "kilometres"), make_country(), strict=True))
    given_ |= {name: turn(given_[name]) for name, turn in change.items()}
    with pytest.raises(InvalidInputError, match=message):
        cl.study.region_gap(y="y", x="x", own=range(2 * CITIES), **given_)


@pytest.fixture(scope="module")
def depth():
    return cl.study.depth_of_use()


@pytest.fixture(scope="module")
def frontiers():
    return cl.study.output_frontiers()


@pytest.fixture(scope="module")
def gradients():
    return cl.study.size_gradients()


def read_city(file: str) -> pd.DataFrame:
    """Read a raw table of cities, a row a city and year."""
    raw = pd.read_csv(cl.paths.get_project().raw / "city" / f"{file}.csv")
    return raw.pivot(index=["adcode", "year"], columns="indicator", values="value").reset_index()


def test_gaps_of_regions_are_those_of_the_published_index(depth):
    raw = read_city("digital_finance")
    raw = raw[raw["year"].between(2021, 2023)].dropna(subset=["dfi_usage_depth", "dfi_coverage_breadth"])
    cities = raw.groupby("adcode")[["dfi_usage_depth", "dfi_coverage_breadth"]].mean()
    cities = cities[raw.groupby("adcode").size() == 3]
    for code, area in cl.regions.REGIONS.items():
        own = cities.index.isin(area.adcodes("city"))
        out = ~np.isin(cities.index // 10000, np.unique(cities.index[own] // 10000))
        curve = np.polyfit(cities["dfi_coverage_breadth"][out], cities["dfi_usage_depth"][out], 2)
        gap = cities["dfi_usage_depth"][own] - np.polyval(curve, cities["dfi_coverage_breadth"][own])
        assert depth.gaps.loc[(code, "main"), "estimate"] == pytest.approx(gap.mean())


def test_leaving_out_a_province_leaves_it_out(depth):
    cities = depth.cities[depth.cities["province"] != 650000]
    own = cl.regions.get_region("bth").adcodes("city")
    names, far = ["breadth", "breadth2"], cl.study.province_distances()
    row = cl.study.region_gap(cities, "depth", names, own, cities["province"], far)
    assert depth.without.loc[("bth", 650000), "estimate"] == pytest.approx(row["estimate"])


def test_the_change_of_the_elasticity_is_that_of_both_halves(depth):
    first, second, change = depth.pace.loc[["first", "second", "difference"], "estimate"]
    assert change == pytest.approx(second - first)
    raw = read_city("digital_finance")
    raw = raw[raw["year"].between(2019, 2023)].dropna(subset=["dfi_usage_depth", "dfi_coverage_breadth"])
    log = np.log(raw[["dfi_usage_depth", "dfi_coverage_breadth"]])
    for _ in range(200):  # effects of cities and years by turns
        for name in ("adcode", "year"):
            log = log - log.groupby(raw[name]).transform("mean")
    y, x = log.to_numpy().T
    assert second == pytest.approx((x @ y) / (x @ x), rel=1e-6)


def test_frontiers_are_nested_and_regions_are_means_of_logarithms(frontiers):
    scores = frontiers.scores
    assert (scores["constant"] <= scores["non-increasing"] + 1e-6).all()
    assert (scores["non-increasing"] <= scores["variable"] + 1e-6).all()
    assert (scores["order_20"] <= scores["order_m"] + 1e-9).all()
    assert (scores["order_m"] <= scores["order_5"] + 1e-9).all()
    latest = np.log(scores["order_m"].unstack()[[2021, 2022, 2023]]).mean(axis=1)
    own = latest.index.isin(cl.regions.get_region("yrd").adcodes("province"))
    gap = latest[own].mean() - latest[~own].mean()
    assert frontiers.gaps.loc[("yrd", "order_m", "nothing"), "estimate"] == pytest.approx(gap)


def test_constant_returns_have_the_best_ratio_for_their_mark():
    """With one input and one output the frontier of constant returns is the greatest ratio."""
    from clusterlib.efficiency import data_envelopment

    x = pd.DataFrame({"x": [2.0, 4, 5]})
    y = pd.DataFrame({"y": [1.0, 4, 3]})
    found = data_envelopment(x, y, orientation="output").table["efficiency"]
    assert found.to_numpy() == pytest.approx([0.5, 1, 0.6])


def test_the_stochastic_frontier_ranks_units_by_the_inefficiency_they_were_given():
    random = np.random.default_rng(5)
    units, years = 30, 6
    index = pd.MultiIndex.from_product([range(units), range(years)], names=["adcode", "year"])
    shortfall = np.abs(random.normal(scale=0.8, size=units))[index.get_level_values(0)]
    ports = random.uniform(1, 9, len(index))
    sales = ports**0.7 * np.exp(0.05 * random.normal(size=len(index)) - shortfall)
    found = cl.study.output_frontier(pd.DataFrame({"ports": ports, "sales": sales}, index), ["ports"], "sales")
    efficiency = found.efficiency["efficiency"]
    assert efficiency.corr(pd.Series(-shortfall, index), method="spearman") > 0.95


def test_a_frontier_of_several_outputs_does_not_depend_on_their_order_or_units():
    random = np.random.default_rng(6)
    units, years = 25, 6
    index = pd.MultiIndex.from_product([range(units), range(years)], names=["adcode", "year"])
    shortfall = np.abs(random.normal(scale=0.8, size=units))[index.get_level_values(0)]
    ports, mix = random.uniform(1, 9, len(index)), random.normal(scale=0.3, size=len(index))
    made = 0.7 * np.log(ports) + 0.1 * random.normal(size=len(index)) - shortfall
    data = pd.DataFrame({"ports": ports, "software": np.exp(made + mix), "shops": np.exp(made - mix)}, index)
    result = cl.study.output_frontier(data, ["ports"], ["software", "shops"])
    turned = cl.study.output_frontier(data.assign(shops=1000 * data["shops"]), ["ports"], ["shops", "software"])
    np.testing.assert_allclose(turned.efficiency["efficiency"], result.efficiency["efficiency"], rtol=1e-4)
    assert result.efficiency["efficiency"].corr(pd.Series(-shortfall, index), method="spearman") > 0.95
    assert result.params["ports"] == pytest.approx(0.7, abs=0.1)


def test_noise_without_a_tail_of_inefficiency_is_taken_for_no_inefficiency():
    random = np.random.default_rng(1)
    index = pd.MultiIndex.from_product([range(30), range(4)], names=["adcode", "year"])
    ports = random.uniform(1, 9, len(index))
    made = 0.7 * np.log(ports) + 0.3 * random.exponential(size=len(index))
    data = pd.DataFrame({"ports": ports, "sales": np.exp(made)}, index)
    found = cl.study.output_frontier(data, ["ports"], "sales", "independent")
    assert (found.efficiency["efficiency"] == 1).all()


def test_the_nations_gradient_is_that_of_dummies_of_provinces(gradients):
    output, digital = read_city("output"), read_city("digital")
    frame = output.merge(digital, on=["adcode", "year"], how="outer")
    frame = frame[frame["year"].between(2018, 2023)]
    residents = frame["gdp"] / frame["gdp_per_capita"] * 10_000
    log = np.log(pd.DataFrame({"mobile": frame["mobile_subscribers"], "residents": residents, "gdp": frame["gdp"]}))
    log = (log - log.groupby(frame["year"]).transform("mean")).groupby(frame["adcode"]).mean()
    y, x = (log["mobile"] - log["residents"]), log["gdp"]
    both = pd.DataFrame({"y": y, "x": x}).dropna()
    province = both.index // 10000
    both = both[both.groupby(province)["y"].transform("size") > 1]
    dummies = pd.get_dummies(both.index // 10000, dtype=float).to_numpy()
    found = np.linalg.lstsq(np.column_stack([both["x"], dummies]), both["y"])[0][0]
    assert gradients.loc[("nation", "gdp", "residents", "mobile"), "estimate"] == pytest.approx(found, rel=1e-6)


def test_a_region_with_few_cities_is_given_by_those_of_its_provinces(gradients):
    assert len(cl.regions.get_region("gba").adcodes("city")) - 2 < dormancy.FEWEST
    assert gradients.loc[("gba", "gdp", "residents", "mobile"), "places"] > dormancy.FEWEST
    assert gradients.loc[("bth", "gdp", "residents", "mobile"), "provinces"] == 1


CLAIMS = {claim.id: claim for claim in load_claims()}


def with_bounds(values: dict[str, float], half: float) -> dict[str, float]:
    return {
        f"{name}{end}": v + k * half
        for name, v in values.items()
        for end, k in (("", 0), ("_lower", -1), ("_upper", 1))
    }


def dormancy_values(depth: float, ratio: float, half: float = 0.1, **changed: float) -> dict[str, float]:
    values = {"depth": depth, **dict.fromkeys(METHODS, ratio), "seat": 0.0, "pace": 0.0, **changed}
    quoted = ("share", "detectable", "cities", "low", "high", "low_given", "high_given")
    return with_bounds(values, half) | dict.fromkeys(quoted, 1.0)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        (dormancy_values(-5, 0.5), "supported"),
        (dormancy_values(5, 2.0), "contradicted"),
        (dormancy_values(5, 0.5), "mixed"),
        (dormancy_values(-5, 0.5, stochastic=2.0), "mixed"),
        (dormancy_values(-5, 0.5, half=20), "mixed"),
    ],
)
def test_dormancy_needs_depth_and_all_frontiers_to_agree(values, verdict):
    assert judge(CLAIMS["data_dormancy"], **values).verdict == verdict


@pytest.mark.parametrize(
    ("residents", "registered", "half", "verdict"),
    [
        (0.2, 0.3, 0.1, "supported"),
        (-0.3, -0.2, 0.1, "contradicted"),
        (-0.2, 0.2, 0.1, "mixed"),
        (0.2, 0.3, 0.25, "mixed"),
    ],
)
def test_small_places_are_short_where_both_divisors_say_so(residents, registered, half, verdict):
    names = ("broadband", "mobile", "telecom")
    values = {f"{n}_residents": residents for n in names} | {f"{n}_registered": registered for n in names}
    quoted = dict.fromkeys([*(f"{n}_population" for n in names), "places", "detectable"], 1.0)
    assert judge(CLAIMS["small_and_scattered"], **with_bounds(values, half), **quoted).verdict == verdict
