"""What is kept on disk: found again by what it was made from, an object of each reader's own, computed once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest

import clusterlib as cl
from clusterlib.data._load import noting
from clusterlib.paths import Project
from clusterlib.study import _memory
from clusterlib.study._memory import remember

CALLS: list[object] = []


@remember
def gdp(region: str, year: int = 2020) -> pd.DataFrame:
    CALLS.append((region, year))
    return cl.data.load_panel("city", "gdp", region, year)


@pytest.fixture
def own(built_project: Project) -> Project:
    """A project of its own, with nothing kept."""
    shutil.rmtree(built_project.processed / _memory.FOLDER, ignore_errors=True)
    CALLS.clear()
    return built_project


def test_a_value_is_computed_once_for_each_of_its_arguments(own):
    first, again = gdp("yrd"), gdp(region="yrd", year=2020)
    pd.testing.assert_frame_equal(first, again)
    assert len(gdp("bth")) == 13 and CALLS == [("yrd", 2020), ("bth", 2020)]


def test_a_caller_cannot_spoil_it_for_the_next(own):
    found = gdp("yrd")
    found.iloc[:] = 0.0
    assert (gdp("yrd")["gdp"] > 0).all() and len(CALLS) == 1


def test_it_counts_as_read_whoever_computed_it(own):
    told = []
    for _ in range(2):
        with noting() as reads:
            gdp("yrd")
        told.append(set(reads))
    codes = ",".join(str(unit.adcode) for unit in cl.regions.REGIONS["yrd"].cities)
    assert told[0] == told[1] == {"city - - -", f"city gdp {codes} 2020"} and CALLS == [("yrd", 2020)]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("regions.csv", ",YRD,", ",Delta,"), ("design.yml", "window: 8", "window: 7"),
        ("digital_fields.csv", "仪器", "仪表"),
    ],
)  # fmt: skip
def test_a_change_of_the_study_computes_anew(own, name, old, new):
    gdp("yrd")
    text = (own.study / name).read_text(encoding="utf-8")
    (own.study / name).write_text(text.replace(old, new), encoding="utf-8")
    gdp("yrd")
    assert len(CALLS) == 2


def test_a_change_of_the_data_computes_anew(own):
    gdp("yrd")
    path = own.processed / "manifest.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"rows": ', '"rows": 1', 1), encoding="utf-8")
    gdp("yrd")
    assert len(CALLS) == 2


def test_source_that_changed_under_the_process_keeps_nothing(own, monkeypatch):
    monkeypatch.setattr(_memory, "_STAMPS", ())
    gdp("yrd")
    gdp("yrd")
    assert len(CALLS) == 2 and not (own.processed / _memory.FOLDER).exists()


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o702])
def test_a_folder_that_others_can_write_to_is_not_read(own, mode):
    gdp("yrd")
    folder = own.processed / _memory.FOLDER
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(mode)
    gdp("yrd")
    assert len(CALLS) == 2


def test_a_folder_that_cannot_be_written_is_done_without(own):
    (own.processed / _memory.FOLDER).write_text("in the way", encoding="utf-8")
    assert len(gdp("yrd")) == len(gdp("yrd")) == 41 and len(CALLS) == 2


def test_what_a_process_that_was_killed_began_to_write_is_deleted_after_an_hour(own):
    gdp("yrd")
    (value,) = (own.processed / _memory.FOLDER).rglob("output.pkl")
    old, young = (value.with_name(f"output.pkl.{digit * 32}-12-345") for digit in "ab")
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    gdp("gba")
    assert (old.exists(), young.exists(), value.exists()) == (False, True, True)
    gdp("yrd")
    assert len(CALLS) == 2


def test_of_two_processes_that_need_it_one_computes(own):
    code = "import clusterlib as cl; cl.scenario.border_model()"
    each = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(timeout=120) for process in each] == [0, 0]
    kept = own.processed / _memory.FOLDER
    # Neighbours of the cities, and the model: a value each.
    assert len(list(kept.rglob("output.pkl"))) == 2
