"""Models of cities' output against least squares with dummies on the raw figures."""

from __future__ import annotations

import csv
import math

import numpy as np
import pandas as pd
import pytest

import clusterlib as cl
from clusterlib.paths import get_project

YEARS, LONG = "2011:2021", "2011:2019"


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    """Logarithms of GDP, subscribers and registered persons by city and year, from the csv files."""
    wanted = {"gdp": "y", "broadband_subscribers": "x", "registered_population": "held"}
    cells: dict[tuple[int, int], dict[str, float]] = {}
    for path in (get_project().raw / "city").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["indicator"] in wanted and 2011 <= int(row["year"]) <= 2021 and row["value"]:
                    place = int(row["adcode"]), int(row["year"])
                    cells.setdefault(place, {})[wanted[row["indicator"]]] = math.log(float(row["value"]))
    return pd.DataFrame.from_dict(cells, orient="index").dropna().sort_index()


@pytest.fixture(scope="module")
def models() -> pd.DataFrame:
    return cl.study.city_output.models(YEARS, LONG, 99, 0, 300.0)


def dummies(rows: pd.DataFrame, by: np.ndarray) -> float:
    """Return the coefficient of x by least squares with a dummy for each city and each group."""
    city = np.asarray(rows.index.get_level_values(0))
    columns = [pd.get_dummies(codes, dtype=float).to_numpy() for codes in (city, by)]
    X = np.column_stack([rows[["x", "held"]], *columns])
    return float(np.linalg.lstsq(X, rows["y"].to_numpy(), rcond=None)[0][0])


def test_effects_of_year_and_of_province_and_year_are_those_of_dummies(raw, models):
    city, year = (np.asarray(raw.index.get_level_values(level)) for level in (0, 1))
    found = models.xs(("log_gdp", "registered_held", "all"), level=("outcome", "form", "sample"))
    assert found.loc["year", "estimate"] == pytest.approx(dummies(raw, year), rel=1e-8)
    assert found.loc["province_year", "estimate"] == pytest.approx(
        dummies(raw, city // 10_000 * 10_000 + year), rel=1e-8
    )
    assert found.loc["year", "rows"] == len(raw)


def test_long_differences_are_those_of_the_first_and_the_last_year(raw, models):
    wide = raw.unstack()
    change = pd.DataFrame({name: wide[name][2019] - wide[name][2011] for name in ("y", "x", "held")}).dropna()
    X = np.column_stack([change["x"], change["held"], np.ones(len(change))])
    expected = np.linalg.lstsq(X, change["y"].to_numpy(), rcond=None)[0][0]
    row = models.loc[("log_gdp", "registered_held", "long", "all")]
    assert row["estimate"] == pytest.approx(expected, rel=1e-8)
    assert row["cities"] == len(change)


@pytest.mark.parametrize("design", ["year", "province_year"])
def test_the_range_without_each_province_is_that_of_samples_without_it(raw, models, design):
    city, year = (np.asarray(raw.index.get_level_values(level)) for level in (0, 1))
    by = year if design == "year" else city // 10_000 * 10_000 + year
    row = models.loc[("log_gdp", "registered_held", design, "all")]
    # Of the province that matters most, and of a few others that cannot lead out of the range.
    for province in (11, 22, 37, 44):
        kept = city // 10_000 != province
        assert row["low"] - 1e-9 <= dummies(raw[kept], by[kept]) <= row["high"] + 1e-9
    assert row["low"] < row["estimate"] < row["high"]


def test_gdp_and_gdp_per_head_have_one_coefficient_where_residents_are_held(models):
    pair = models.xs("residents_held", level="form")["estimate"].unstack("outcome")
    assert pair["log_gdp"].to_numpy() == pytest.approx(pair["log_gdp_per_head"].to_numpy(), rel=1e-7)


def test_registered_persons_bring_hebei_back_into_the_panel():
    output = cl.study.city_output
    panel = output.output_panel(YEARS)
    counts = {}
    for form, y in (("residents_held", "log_gdp_per_head"), ("registered_held", "log_gdp")):
        rows = output.complete_rows(panel, [y, *output.FORMS[form]])
        counts[form] = int((output.province_of(rows) == 130_000).sum())
    assert counts["registered_held"] > 4 * counts["residents_held"]


def test_the_set_of_an_instrument_holds_zero_where_its_test_does_not_reject_it():
    table = cl.study.city_output.instruments(YEARS)
    rejected = table["reduced_p"] < 0.05
    assert rejected.any() and not rejected.all()
    one = table[~table["set"].str.contains("∪")]
    ends = one["set"].str.strip("()").str.replace("∞", "inf").str.split(", ", expand=True).astype(float)
    assert ((ends[0] < 0) & (ends[1] > 0)).tolist() == (~rejected[one.index]).tolist()
    assert table["bounded"].tolist() == (~table["set"].str.contains("∞")).tolist()


def test_the_slope_of_a_region_of_one_province_is_compared_with_sets_of_other_cities():
    found = cl.study.city_output.region_slope("gba", YEARS).loc["log_gdp"]
    assert (found["cities"], found["provinces"]) == (9, 1)
    assert found["sets"] > 200
    assert 1 / (1 + found["sets"]) <= found["p_sets"] <= 1
