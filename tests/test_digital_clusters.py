"""The rule by which clusters are called digital: the same field alike wherever it is, and what is wrong in its file."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.data import digital_fields, digital_of, load_clusters, load_units
from clusterlib.data._digital_fields import read_fields
from clusterlib.errors import StudyError
from clusterlib.paths import get_project

FILE = "digital_fields.csv"
FIELDS = digital_fields()
WORDS = {word: field.digital for field in FIELDS for word in field.words}
PLACES = [name for name in load_units("city")["name_zh"] if not any(word in name for word in WORDS)]


def digital(name: str) -> str:
    return digital_of(pd.Series([name]))["digital"].iloc[0]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(WORDS)), st.sampled_from(PLACES), st.sampled_from(PLACES))
def test_a_field_is_treated_alike_wherever_it_is(word, one, other):
    assert digital(f"{one}{word}产业集群") == digital(f"{other}{word}集群") == digital(word)


def test_no_name_of_a_place_makes_a_cluster_digital():
    assert set(digital_of(load_units()["name_zh"])["digital"]) == {"no"}


@pytest.mark.parametrize("word", [word for word, kind in WORDS.items() if kind == "doubtful"])
def test_a_name_with_a_doubtful_field_is_doubtful_whatever_else_it_holds(word):
    assert digital(word) == "doubtful"
    assert digital(f"软件及{word}集群") == digital(f"{word}和机器人集群") == "doubtful"


def test_robots_are_robots_in_the_north_and_in_the_south():
    assert digital("沈阳市机器人集群") == digital("广深佛莞机器人集群") == "yes"
    assert digital("沈阳市机器人及智能制造集群") == digital("广深佛莞智能装备集群") == "doubtful"
    assert digital("苏州市、无锡市、南通市高端纺织集群") == "no"


def test_classes_are_those_of_all_fields_that_are_named():
    found = digital_of(pd.Series({"a": "无锡市物联网集群", "b": "青岛市智能家电集群", "c": "宁德市动力电池集群"}))
    assert found["digital_class"].to_dict() == {"a": "0105;0304", "b": "0104", "c": ""}
    assert found["digital"].to_dict() == {"a": "yes", "b": "doubtful", "c": "no"}


def test_the_lists_carry_the_rule_and_names_alike_stand_alike():
    clusters = load_clusters()
    assert (clusters[["digital", "digital_class"]] == digital_of(clusters["name_zh"])).all(axis=None)
    assert set(clusters["digital"]) == {"yes", "doubtful", "no"}
    # Of the same field in two lists or places: what is left of the name without its place and what it ends in.
    fields = (
        clusters.loc[clusters["programme"] == "strategic_emerging_industry"].groupby("field_zh")["digital"].nunique()
    )
    assert (fields == 1).all()
    # Every word is that of some cluster: no row of the rule is idle.
    assert [word for word in WORDS if not clusters["name_zh"].str.contains(word, regex=False).any()] == []


def test_of_the_45_eleven_are_digital_and_six_are_doubtful():
    clusters = load_clusters("national_advanced_manufacturing", "2021:2022")
    assert clusters["digital"].value_counts().to_dict() == {"no": 28, "yes": 11, "doubtful": 6}
    counts = clusters.groupby("digital")["region"].value_counts()
    assert counts["yes"].to_dict() == {"yrd": 5, "": 4, "gba": 2}
    assert counts["doubtful"].to_dict() == {"gba": 3, "": 2, "yrd": 1}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("yes,集成电路", "perhaps,集成电路", "'perhaps': expected yes or doubtful"),
        ("智能制造,0104;0106", "智能制造,05", "'05': expected core classes"),
        ("doubtful,数控,", "doubtful,软件,", "'软件' stands in line"),
        ("激光,0105", "激光;,0105", "'激光;': expected words of names"),
    ],
)
def test_what_is_wrong_in_the_rule_is_told_with_its_line(tmp_path, old, new, words):
    text = (get_project().study / FILE).read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "data" / "study" / FILE
    path.parent.mkdir(parents=True)
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(StudyError, match=rf"{re.escape(FILE)}, line \d+.*{words}"):
        read_fields(tmp_path)
