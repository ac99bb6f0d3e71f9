"""Pairs of cities with direct trains, their distance and the borders between them."""

from __future__ import annotations

import numpy as np
import pytest

import clusterlib as cl


@pytest.fixture(scope="module")
def pairs():
    return cl.study.train_pairs()


def test_a_pair_that_the_timetable_does_not_show_is_not_a_zero(pairs):
    cities = pairs.index.unique("origin").union(pairs.index.unique("destination"))
    assert len(pairs) < len(cities) * (len(cities) - 1)
    assert pairs["trains"].min() >= 1


def test_a_municipality_is_in_one_province_with_no_other_city(pairs):
    assert (pairs.loc[pairs["municipalities"] > 0, "same_province"] == 0).all()
    assert pairs.loc[(440100, 440300), "same_province"] == 1


def test_a_pair_is_in_a_core_region_if_both_cities_are(pairs):
    regions = pairs[list(cl.regions.REGIONS)]
    assert (pairs["same_region"] == regions.sum(axis=1)).all()
    assert pairs.loc[(310000, 330100), "yrd"] == 1
    for name in cl.regions.REGIONS:
        assert regions[name].sum() == len(cl.data.load_pairs(region=name))


def test_distance_is_the_logarithm_of_kilometres_less_that_of_five_hundred(pairs):
    assert pairs["distance"].to_numpy() == pytest.approx(np.log(pairs["kilometres"] / 500).to_numpy())
    assert pairs.loc[(110000, 120000), "kilometres"] == pytest.approx(110, abs=40)


def test_seats_of_provinces_are_counted_among_both_cities(pairs):
    found = [pairs.loc[pair, "capitals"] for pair in ((320100, 330100), (320100, 320500), (320500, 330200))]
    assert found == [2, 1, 0]
