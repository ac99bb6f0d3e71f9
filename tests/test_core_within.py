"""The within transformation, the rank of what it leaves, and least squares, against dummy variables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.core.within import (
    check_rank,
    check_variation,
    collinear_columns,
    demean,
    least_squares,
    make_layout,
)
from clusterlib.errors import InvalidInputError, UnknownNameError


def dummies(codes: np.ndarray) -> np.ndarray:
    return (codes[:, None] == np.unique(codes)).astype(float)


@st.composite
def panels(draw) -> tuple[pd.MultiIndex, np.ndarray]:
    """Rows of a panel with any pattern of gaps, and two columns."""
    cells = draw(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 5)), min_size=2, max_size=30))
    index = pd.MultiIndex.from_tuples(sorted(cells))
    values = np.random.default_rng(draw(st.integers(0, 99))).normal(3, 2, (len(index), 2))
    return index, values


@settings(deadline=None)
@given(panels(), st.sampled_from(["none", "entity", "time", "twoway"]))
def test_any_pattern_of_gaps_leaves_the_residuals_from_dummies_and_counts_their_rank(panel, effects):
    index, values = panel
    unit, time = (index.get_level_values(level).to_numpy() for level in (0, 1))
    parts = {"none": [], "entity": [unit], "time": [time], "twoway": [unit, time]}[effects]
    layout = make_layout(index, effects)
    left = layout.within(values)
    if not parts:
        np.testing.assert_array_equal(left, values)
        assert layout.absorbed == 0
        return
    D = np.hstack([dummies(codes) for codes in parts])
    np.testing.assert_allclose(left, values - D @ np.linalg.lstsq(D, values, rcond=None)[0], atol=1e-9)
    assert layout.absorbed == np.linalg.matrix_rank(D)


def test_groups_with_periods_of_their_own_are_taken_out_exactly():
    index = pd.MultiIndex.from_product([range(9), range(4)]).delete([3, 17])
    group = pd.Series(index.get_level_values(0) % 3, index=index)
    values = np.random.default_rng(1).normal(size=(len(index), 2))
    layout = make_layout(index, "twoway", group)
    cell = index.get_level_values(1).to_numpy() * 3 + group.to_numpy()
    D = np.hstack([dummies(index.get_level_values(0).to_numpy()), dummies(cell)])
    np.testing.assert_allclose(
        layout.within(values), values - D @ np.linalg.lstsq(D, values, rcond=None)[0], atol=1e-12
    )
    assert layout.absorbed == np.linalg.matrix_rank(D) == 9 + 12 - 3


@given(st.integers(2, 5), st.integers(2, 5), st.sampled_from(["none", "entity", "time", "twoway"]))
def test_balanced_panels_lose_their_means(units, periods, effects):
    values = np.random.default_rng(units * periods).normal(size=(units, periods, 2))
    layout = make_layout(pd.MultiIndex.from_product([range(units), range(periods)]), effects)
    flat = layout.within(values.reshape(-1, 2))
    np.testing.assert_allclose(demean(values, effects).reshape(-1, 2), flat, atol=1e-12)


def test_other_effects_are_refused():
    with pytest.raises(UnknownNameError, match="effects"):
        make_layout(pd.MultiIndex.from_product([range(2), range(2)]), "both")


@pytest.mark.parametrize("scale", [1e-150, 1e-6, 1.0, 1e9, 1e150])
def test_what_the_effects_absorb_is_judged_by_its_size(scale):
    raw = scale * np.array([[1.0, 0.1 + 0.2], [2.0, 0.3], [4.0, 0.3]])
    with pytest.raises(InvalidInputError, match=r"^flat is the same in every row"):
        check_variation(raw, raw, ["x", "flat"], "none")


def test_collinear_columns_are_named_whatever_their_units():
    X = np.random.default_rng(0).normal(size=(20, 3)) * [1e-9, 1.0, 1e12]
    X = np.column_stack([X, 3 * X[:, 0] * 1e9 - X[:, 1]])
    assert collinear_columns(X) == [3]
    with pytest.raises(InvalidInputError, match="collinear with the other variables: d; leave it out"):
        check_rank(X, list("abcd"))
    assert collinear_columns(X[:3, :3].copy()) == []
    assert collinear_columns(X[:2, :3].copy()) == [2]


def test_least_squares_are_those_of_numpy_and_need_more_rows_than_coefficients():
    random = np.random.default_rng(3)
    X, y = random.normal(size=(12, 3)) * [1, 1e6, 1e-6], random.normal(size=12)
    fit = least_squares(y, X, list("abc"))
    np.testing.assert_allclose(fit.params, np.linalg.lstsq(X, y, rcond=None)[0], rtol=1e-9)
    size = np.linalg.norm(X, axis=0)
    scaled = X / size
    np.testing.assert_allclose(fit.inverse * np.outer(size, size) @ (scaled.T @ scaled), np.eye(3), atol=1e-12)
    with pytest.raises(InvalidInputError, match="12 rows for 3 coefficients and 9 effects"):
        least_squares(y, X, list("abc"), 9)
