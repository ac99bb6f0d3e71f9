"""P values of a family of tests after Holm, against statsmodels and by what they promise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from clusterlib.errors import InvalidInputError
from clusterlib.inference import holm

FAMILIES = st.lists(st.floats(0, 1), min_size=1, max_size=9)


@settings(max_examples=50)
@given(FAMILIES)
def test_they_are_those_of_statsmodels_in_the_order_given(family):
    assert holm(pd.Series(family)).tolist() == pytest.approx(multipletests(family, method="holm")[1].tolist())


@settings(max_examples=50)
@given(FAMILIES)
def test_a_test_that_was_not_made_changes_nothing_and_stays_missing(family):
    found = holm(pd.Series([np.nan, *family, np.nan]))
    assert found.iloc[[0, -1]].isna().all()
    assert found.iloc[1:-1].tolist() == holm(pd.Series(family)).tolist()


def test_a_family_without_effects_is_rejected_no_more_often_than_the_level():
    draws = np.random.default_rng(0).uniform(size=(2000, 6))
    # One false rejection in the family is enough; taken one by one a quarter of the families has one.
    wrong = np.mean([holm(pd.Series(family)).min() < 0.05 for family in draws])
    assert abs(wrong - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 2000)
    assert np.mean(draws.min(axis=1) < 0.05) > 0.2


def test_labels_stay_with_their_tests():
    found = holm({"late": 0.04, "early": 0.01})
    assert found.to_dict() == pytest.approx({"late": 0.04, "early": 0.02})
    assert holm({}).empty


@pytest.mark.parametrize("wrong", [-0.1, 1.2, "small"])
def test_what_is_no_probability_is_refused_by_its_name(wrong):
    with pytest.raises(InvalidInputError, match=r"p value of exports: expected a number from 0 to 1"):
        holm({"gdp": 0.2, "exports": wrong})
