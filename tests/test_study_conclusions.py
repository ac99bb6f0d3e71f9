"""What notebooks conclude: that each says how much was seen, that rules can come out either way, swings of exports."""

from __future__ import annotations

import re

import nbformat
import numpy as np
import pandas as pd
import pytest

import clusterlib as cl
from clusterlib.captions import load_captions
from clusterlib.core.places import ALBERS
from clusterlib.paths import get_project
from clusterlib.study import _export_controls
from clusterlib.study.claims import judge, load_claims

CONCLUDING = (
    "03_digital_index", "05_inequality", "06_spatial", "07_spillovers", "08_policy", "11_robustness", "13_cities",
    "14_city_output", "15_city_policies", "17_export_controls",
)  # fmt: skip
CLAIMS = {claim.id: claim for claim in load_claims()}
# What claims are told beside what their rules compare.
ABROAD = {"exports_least": 0.1, "swing_least": 0.1, "cities": 40, "errors": "by_city", "years": "2018:2023"}
CHANCES = {"patents_least": 0.4, "gdp_least": 0.1, "years": "2018:2023"}


@pytest.mark.parametrize("name", CONCLUDING)
def test_a_notebook_ends_in_conclusions_and_says_of_each_what_it_rests_on(name):
    cells = nbformat.read(get_project().notebooks / f"{name}.ipynb", as_version=4).cells
    heading = next(i for i, cell in enumerate(cells) if cell.id == "conclusion-text")
    code = [cell for cell in cells if cell.cell_type == "code"]
    concluding = [cell for cell in code if re.search(r'record\(\s*f?"conclusion\.', cell.source)]
    assert concluding
    assert all(cells.index(cell) > heading for cell in concluding)
    captions = load_captions(name).results
    concluded = [caption for result, caption in captions.items() if result.startswith("conclusion.")]
    assert len(concluded) >= 3
    for caption in concluded:
        for language, note in caption.texts["note"].items():
            assert "{" in note, f"{caption.name}: the note in {language} states no number"


def abroad(hit=12.0, **found):
    return judge(CLAIMS["export_controls"], hit=hit, **ABROAD, **found).verdict


def test_controls_are_borne_out_by_falling_exports_or_by_larger_swings_and_not_by_their_opposites():
    assert abroad(exports=-0.2, exports_p=0.01, swing=0.0, swing_p=0.9) == "supported"
    assert abroad(exports=0.1, exports_p=0.6, swing=0.2, swing_p=0.01) == "supported"
    assert abroad(exports=0.2, exports_p=0.01, swing=-0.2, swing_p=0.01) == "contradicted"
    assert abroad(exports=-0.2, exports_p=0.2, swing=0.2, swing_p=0.2) == "mixed"
    assert abroad(exports=-0.2, exports_p=0.01, swing=0.2, swing_p=0.01, hit=4) == "no experiment"


def chances(pilots=14.0, others=8.0, before=0.3, **found):
    counts = {"pilots": pilots, "others": others, "before": before}
    return judge(CLAIMS["artificial_intelligence"], **CHANCES, **counts, **found).verdict


def test_pilot_zones_speak_for_opportunities_only_where_one_outcome_rose_and_trends_did_not_differ_before():
    rose = {"patents": 0.6, "patents_p": 0.01, "gdp": 0.0, "gdp_p": 0.9}
    assert chances(**rose) == "supported"
    assert chances(patents=-0.6, patents_p=0.01, gdp=-0.2, gdp_p=0.01) == "contradicted"
    assert chances(patents=0.6, patents_p=0.2, gdp=0.1, gdp_p=0.2) == "mixed"
    for missing in ({"pilots": 4.0}, {"others": 4.0}, {"before": 0.01}):
        assert chances(**rose, **missing) == "no experiment"


def dummies(codes):
    return pd.get_dummies(pd.Series(codes), drop_first=True).to_numpy(float)


def test_swings_are_those_of_least_squares_with_dummies():
    frame, _ = cl.study.export_control_sample("exports", "2018:2023")
    wide = frame["exports"].unstack("year")
    growth = wide.diff(axis=1).stack().rename("growth")
    rows = frame.join(growth, how="inner").dropna(subset=["growth"])
    city, year = (rows.index.get_level_values(level) for level in ("adcode", "year"))
    times = {(name, t): rows[name].where(year == t, 0.0) for name in ("size", "trade") for t in range(2019, 2024)}
    first = np.column_stack([np.ones(len(rows)), dummies(year), *times.values()])
    swing = np.abs(rows["growth"] - first @ np.linalg.lstsq(first, rows["growth"], rcond=None)[0])
    later = [values for (_, t), values in times.items() if t > 2019]
    # Of a city seen once nothing is left.
    second = np.column_stack([rows["exposure"], np.ones(len(rows)), dummies(city), dummies(year), *later])
    slope = np.linalg.lstsq(second, swing, rcond=None)[0][0]
    assert cl.study.export_swings()["estimate"] == pytest.approx(slope, abs=1e-8)


def made(kind, cities=60, seed=0):
    """Return a panel in which exports of listed cities swing more, or not, from 2021 on."""
    random = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([range(cities), range(2018, 2024)], names=["adcode", "year"])
    year, listed = index.get_level_values("year"), index.get_level_values("adcode") < cities / 3
    exposure = np.where(listed & (year > 2020), 1.0, 0.0)
    spread = 0.1 * (1 + (4 * exposure if kind == "swings" else 0))
    frame = pd.DataFrame({"exposure": exposure, "province": index.get_level_values("adcode") // 3}, index)
    return frame.assign(exports=pd.Series(random.normal(0, spread, len(index)), index).groupby("adcode").cumsum()), []


@pytest.mark.parametrize(("kind", "found"), [("swings", True), ("none", False)])
def test_larger_swings_of_listed_cities_are_found_where_there_are_any(monkeypatch, kind, found):
    monkeypatch.setattr(_export_controls, "export_control_sample", lambda *_: made(kind))
    row = _export_controls.export_swings.__wrapped__(None, "2018:2023", 5)
    assert (row["p_value"] < 0.05) == found
    assert (row["lower"] > 0) == found
    assert (row["cities"], row["hit"]) == (60, 20)


def test_a_region_with_few_listed_cities_has_no_estimate_of_swings():
    row = cl.study.export_swings("gba", fewest=10)
    assert row["hit"] < 10
    assert row.drop(["cities", "hit"]).isna().all()


def test_a_pilot_zone_has_patents_and_gdp_of_the_same_cities():
    found = cl.study.policy_outcomes(("patents", "ai_gdp"), "2018:2023")
    assert found["cities"].nunique() == found["pilots"].nunique() == 1
    assert (found["minimum_detectable"] > 2.8 * found["std_error"]).all()


def test_the_global_statistic_of_cities_is_that_of_the_local_ones_in_its_year():
    moran, found = cl.study.city_moran("2018:2020"), cl.study.city_clusters(2019, permutations=99)
    values, row = found.local.table["value"], moran.loc[("gdp_per_head", "nearest", 2019)]
    assert row["n"] == len(values) == found.border.n
    # By hand: the five nearest centroids on the sphere, each with a fifth of the weight.
    shapes = cl.data.load_boundaries("city").loc[values.index]
    lon, lat = np.radians(shapes.to_crs(ALBERS).centroid.to_crs(shapes.crs).get_coordinates().to_numpy()).T
    half = (
        np.sin((lat[:, None] - lat) / 2) ** 2
        + np.cos(lat)[:, None] * np.cos(lat) * np.sin((lon[:, None] - lon) / 2) ** 2
    )
    nearest = np.argsort(half + 9 * np.eye(len(half)), axis=1)[:, :5]
    z = (values - values.mean()).to_numpy()
    assert row["I"] == pytest.approx((z * z[nearest].mean(axis=1)).sum() / (z**2).sum(), abs=1e-9)


def test_provinces_have_moran_of_three_variables_under_three_weights():
    found = cl.study.province_moran("2022:2023")
    assert set(found.index.unique("variable")) == {"index", "gdp_per_head", "software"}
    assert set(found.index.unique("weights")) == {"contiguity", "nearest", "distance"}
    assert (found["n"] == 30).all()
