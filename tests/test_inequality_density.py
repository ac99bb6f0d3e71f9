"""Kernel densities against R, statsmodels and the direct sum."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.nonparametric.kde import KDEUnivariate

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.inequality import kernel_density

REFERENCE = Path(__file__).parent / "reference"


@pytest.fixture(scope="module")
def produc() -> pd.DataFrame:
    data = pd.read_csv(REFERENCE / "data" / "produc.csv").set_index(["state", "year"])
    return data.assign(prod=data["gsp"] / data["emp"])


def test_density_and_bandwidth_equal_r(produc):
    text = (REFERENCE / "expected" / "convergence_produc_panel.json").read_text(encoding="utf-8")
    answer = json.loads(text)["density_1986"]
    result = kernel_density(produc, "prod", grid=answer["at"], bandwidth=answer["bandwidth"])
    density = result.table.query("year == 1986").set_index("x")["density"]
    np.testing.assert_allclose(density, answer["density"], rtol=1e-10)
    scott = kernel_density(produc, "prod", bandwidth="scott")
    assert scott.by_period.loc[1986, "bandwidth"] == pytest.approx(answer["bandwidth_scott"], rel=1e-12)


def test_density_equals_statsmodels_at_its_bandwidth(produc):
    result = kernel_density(produc, "prod")
    for year in (1970, 1986):
        sample = produc["prod"].xs(year, level="year").to_numpy()
        width = result.by_period.loc[year, "bandwidth"]
        assert width == pytest.approx((4 / 3 / 48) ** 0.2 * sample.std(ddof=1), rel=1e-12)
        other = KDEUnivariate(sample)
        other.fit(bw=width, fft=False)
        part = result.table[result.table["year"] == year]
        np.testing.assert_allclose(part["density"], other.evaluate(part["x"].to_numpy()), rtol=1e-8, atol=1e-12)


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=20).filter(lambda x: len(set(x)) > 1), st.floats(0.1, 1000))
@settings(max_examples=40, deadline=None)
def test_density_integrates_to_one_and_scales_with_the_unit(values, scale):
    data = pd.DataFrame({"year": 2020, "x": np.array(values, float), "scaled": np.array(values) * scale})
    result = kernel_density(data, "x", grid=800)
    table = result.table
    assert np.trapezoid(table["density"], table["x"]) == pytest.approx(1, abs=0.005)
    scaled = kernel_density(data, "scaled", grid=800).table
    np.testing.assert_allclose(scaled["density"] * scale, table["density"], rtol=1e-6, atol=1e-12)


def test_periods_share_one_grid_and_keep_their_own_bandwidth(produc):
    result = kernel_density(produc, "prod", grid=64)
    wide = result.wide()
    assert wide.shape == (64, 17) and wide.notna().all(axis=None)
    spread = produc["prod"].groupby("year").std()
    np.testing.assert_allclose(result.by_period["bandwidth"] / spread, (4 / 3 / 48) ** 0.2, rtol=1e-12)
    assert result.by_period.loc[1970, "mode"] == wide[1970].idxmax()


def test_peaks_are_counted_and_small_ones_left_out():
    data = pd.DataFrame({"year": [1] * 21 + [2] * 2, "x": [0.0] * 10 + [10.0] * 10 + [30.0] + [4.0, 5.0]})
    assert kernel_density(data, "x", bandwidth=1.0).by_period["peaks"].tolist() == [3, 1]
    assert kernel_density(data, "x", bandwidth=1.0, minimum_peak=0.2).by_period["peaks"].tolist() == [2, 1]


def test_input_without_an_answer_is_refused(produc):
    with pytest.raises(InvalidInputError, match="no spread in 1970"):
        kernel_density(produc.assign(prod=1.0), "prod")
    with pytest.raises(InvalidInputError, match=r"no spread in 1970 \(n = 1\)"):
        kernel_density(produc.iloc[:5], "prod")
    alike = np.where(np.arange(len(produc)) % 2, 0.1 + 0.2, 0.3)
    with pytest.raises(InvalidInputError, match=r"no spread in 1970 \(n = 48\)"):
        kernel_density(produc.assign(prod=alike), "prod")
    with pytest.raises(InvalidInputError, match="missing or infinite"):
        kernel_density(produc.assign(prod=np.nan), "prod")
    with pytest.raises(UnknownNameError, match=r"period 'years'.*did you mean 'year'"):
        kernel_density(produc, "prod", by="years")
    with pytest.raises(UnknownNameError, match="bandwidth rule"):
        kernel_density(produc, "prod", bandwidth="silver")
    for bandwidth in (0.0, -1.0, np.nan):
        with pytest.raises(InvalidInputError, match=r"bandwidth="):
            kernel_density(produc, "prod", bandwidth=bandwidth)
    with pytest.raises(InvalidInputError, match="ascending"):
        kernel_density(produc, "prod", grid=[2.0, 1.0])
    with pytest.raises(InvalidInputError, match=r"grid=1"):
        kernel_density(produc, "prod", grid=1)


def test_rows_without_a_period_and_periods_that_stand_twice_are_refused(produc):
    flat = produc.reset_index()
    with pytest.raises(InvalidInputError, match="1 of 816 rows have no year"):
        kernel_density(flat.assign(year=flat["year"].where(flat.index != 5)), "prod")
    with pytest.raises(InvalidInputError, match="'year' stands in the data more than once"):
        kernel_density(produc.assign(year=1), "prod")
    with pytest.raises(InvalidInputError, match="more than one row"):
        kernel_density(pd.concat([produc, produc.iloc[:1]]), "prod")


def test_periods_are_found_in_any_level_and_any_column_in_their_own_order(produc):
    first = kernel_density(produc, "prod", grid=20)
    for data in (produc.swaplevel(), produc.reset_index(), produc.sample(frac=1, random_state=0)):
        pd.testing.assert_frame_equal(kernel_density(data, "prod", grid=20).table, first.table)
    half = pd.Categorical(np.where(produc["unemp"] > 6, "many", "few"), ["many", "few"], ordered=True)
    assert kernel_density(produc.assign(jobless=half), "prod", "jobless").by_period.index.tolist() == ["many", "few"]


def test_people_see_a_line_a_period_and_not_every_point(produc):
    result = kernel_density(produc, "prod")
    assert len(result.table) == 17 * 256
    assert 17 < len(result.summary().splitlines()) < 30
