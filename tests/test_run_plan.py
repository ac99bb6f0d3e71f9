"""What makes a notebook stale, and only that: cells, parameters, tables that it reads, modules that it imports."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbformat
import pytest

from clusterlib.core.records import Place
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.run.hashes import FileHashes
from clusterlib.run.notebooks import find_notebooks
from clusterlib.run.parameters import (
    Parameter,
    changed_names,
    check_known,
    parse_grid,
    parse_settings,
    read_parameters,
    resolve,
)
from clusterlib.run.places import put_in_place, recover
from clusterlib.run.plan import Planner
from clusterlib.run.sources import files_of, imports_of, library_files, stack_of

# The library's sources.


def test_what_is_loaded_counts_by_file_and_the_engine_and_indexes_do_not():
    files = library_files()
    assert {"results.py", "core/checks.py", "data/_load.py"} <= files.keys()
    assert not [name for name in files if name.startswith("run/") or name.endswith(("__init__.py", ".pyi"))]
    modules = [
        "clusterlib.results",
        "clusterlib.core",
        "clusterlib.core.checks",
        "clusterlib.run.cli",
        "clusterlib.new",
    ]
    assert files_of(modules, files) == ["core/checks.py", "results.py"]
    assert files_of(["clusterlib.core"], ["core/checks.py", "core/names.csv"]) == ["core/names.csv"]


def test_packages_of_others_are_found_in_functions_and_not_under_type_checking():
    code = "import os, scipy.stats, clusterlib\nif TYPE_CHECKING:\n    import torch\ndef f():\n    from pandas import x"
    assert imports_of(code) == {"scipy.stats", "pandas"}
    assert imports_of("this is no code") == set()
    assert imports_of("    import numpy as np, made.up as m\nimport the figures of others") == {"numpy", "made.up"}
    named = set(stack_of(["import made_up, clusterlib as cl\ncl.panel"]))
    assert {"numpy", "pandas", "scipy", "made_up"} <= {name.split(".")[0] for name in named}
    assert "libpysal" not in {name.split(".")[0] for name in named}


def test_a_hash_is_remembered_for_a_file_that_did_not_change_and_never_for_a_fresh_one(tmp_path):
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    path.write_text("one")
    hashes = FileHashes(memory)
    first = hashes.sha256(path)
    path.write_text("two")
    assert hashes.sha256(path) != first
    old = 1_000_000_000
    os.utime(path, ns=(old, old))
    second = hashes.sha256(path)
    hashes.save()
    assert FileHashes(memory).known[str(path)][0] == second
    path.write_text("three")
    assert FileHashes(memory).sha256(path) != second


# Parameters.

CELL = 'region: str = "yrd"\nyears: str = "2016:2024"\nn: int = 3\nalpha: float = 0.5\nflag: bool = False\nfree = 2\n'


def test_parameters_are_read_with_type_and_default():
    found = read_parameters(CELL + "rows: list[int] = [1]\nmade: str = str(3)")
    assert found["years"] == Parameter("years", "str", "2016:2024")
    assert (found["free"].kind, found["made"].default) == ("int", None)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", "7", 7),
        ("float", "7", 7.0),
        ("str", "2018:2023", "2018:2023"),
        ("bool", "yes", True),
        ("bool", "0", False),
        ("list[int]", "[1, 2]", [1, 2]),
        ("dict", "{'a': 1}", {"a": 1}),
        ("int | None", "None", None),
        ("int | None", "4", 4),
        ("Optional[float]", "0.5", 0.5),
        ("Optional[float]", "None", None),
        ("Literal['a', 'b']", "b", "b"),
        ("typing.Literal[1, 2]", "2", 2),
        ("'str'", "b", "b"),
        ("str | list[str]", '["a", "b"]', ["a", "b"]),
        ("int | str", "4", 4),
        ("Path", "/srv/x", "/srv/x"),
        ("datetime.date", "2020-05-01", "2020-05-01"),
        ("object", "abc", "abc"),
        ("object", "[1]", [1]),
        ("tuple", "(1, 2)", (1, 2)),
        ("tuple[int, ...]", "[1, 2]", (1, 2)),
    ],
)
def test_values_become_what_the_cell_declares(kind, text, value):
    parsed = Parameter("p", kind, None).parse(text, "01_one")
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int", "2018:2023"),
        ("int", "1.5"),
        ("int", str(10**30)),
        ("list[int]", f"[{10**30}]"),
        ("float", "nan"),
        ("bool", "maybe"),
        ("list[int]", "[1, 'a']"),
        ("list", "3"),
        ("Literal['a', 'b']", "5"),
        ("int | None", "many"),
        ("tuple", "3"),
        ("set[int]", "{1, 2}"),
    ],
)
def test_a_value_of_another_type_is_refused_with_name_type_and_notebook(kind, text):
    with pytest.raises(InvalidInputError, match=r"parameter p of 01_one is an? ") as caught:
        Parameter("p", kind, None).parse(text, "01_one")
    assert kind in str(caught.value)
    assert text in str(caught.value)


def test_a_parameter_that_no_selected_notebook_has_is_refused_with_near_names():
    known = {"01_one": read_parameters(CELL)}
    with pytest.raises(UnknownNameError, match="did you mean 'years'"):
        check_known(["year"], known)
    with pytest.raises(InvalidInputError, match="use --region"):
        check_known(["region"], known)
    check_known(["alpha"], known)


def test_what_is_set_lies_over_the_defaults_and_only_what_differs_counts_as_changed():
    declared = read_parameters(CELL)
    values, given = resolve("01_one", declared, {"region": "gba", "n": "3", "alpha": "0.1", "other": "x"})
    assert given == {"region": "gba", "n": 3, "alpha": 0.1}
    assert values == {"region": "gba", "years": "2016:2024", "n": 3, "alpha": 0.1, "flag": False, "free": 2}
    assert changed_names(values, {name: p.default for name, p in declared.items()}) == ["alpha"]


@pytest.mark.parametrize(
    ("years", "words"),
    [
        ("2018:2031", r"there are figures for \d{4}:\d{4}"),
        ("1899:2018", "there are figures for"),
        ("2023:2018", "the first year is after the last"),
        ("2018-2023", "cannot be read"),
    ],
)
def test_years_outside_the_span_of_the_study_are_refused_with_that_span(years, words):
    declared = read_parameters('region: str = "yrd"\ncity_years: str = "2010:2015"\nother_words: str = "x"')
    assert resolve("01_one", declared, {"city_years": "2011:2012"})[1] == {"city_years": "2011:2012"}
    with pytest.raises(InvalidInputError, match=f"parameter of 01_one: city_years=.*{words}"):
        resolve("01_one", declared, {"city_years": years})


@pytest.mark.parametrize("text", ["years", "=3", "2x=3", ""])
def test_a_setting_without_name_or_value_is_refused(text):
    with pytest.raises(InvalidInputError, match="expected name=value"):
        parse_settings([text])


@pytest.mark.parametrize("read", [parse_settings, parse_grid])
def test_a_parameter_that_is_given_twice_is_refused(read):
    with pytest.raises(InvalidInputError, match="n is given twice"):
        read(["n=1", "m=2", " n=3"])


def test_numbers_and_lists_beyond_what_can_be_read_are_refused_in_a_few_words():
    digits = "1" + "0" * 5000
    for kind, text in (("int", digits), ("list[int]", f"[{digits}]"), ("list", "[" * 100_000)):
        with pytest.raises(InvalidInputError, match=f"parameter p of 01_one is an? {kind[:4]}") as caught:
            Parameter("p", kind, None).parse(text, "01_one")
        assert len(str(caught.value)) < 200
    for text in (f"n=[{digits}]", "n=" + "[" * 100_000):
        with pytest.raises(InvalidInputError, match="is not a JSON list"):
            parse_grid([text])


def test_a_grid_splits_at_commas_unless_it_is_a_json_list():
    assert parse_grid(["a=1,2", 'b=["x,y", "z"]']) == {"a": ["1", "2"], "b": ["x,y", "z"]}
    for wrong in ("a=", "a=1,,2", "a=[1"):
        with pytest.raises(InvalidInputError):
            parse_grid([wrong])


# Reasons.


def make_notebook(project, name: str, *cells: str) -> Path:
    notebook = nbformat.v4.new_notebook()
    parameters = nbformat.v4.new_code_cell(CELL, id="parameters", metadata={"tags": ["parameters"]})
    notebook.cells = [parameters, *(nbformat.v4.new_code_cell(c, id=f"c{i}") for i, c in enumerate(cells))]
    path = project.notebooks / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


def pretend_run(project, task, reads=(), loads=()):
    """Write what a run would leave, without running."""
    place = Place(project.reports, task.region, task.notebook.name)
    place.folder.mkdir(parents=True, exist_ok=True)
    results = {"notebook": task.notebook.name, "region": task.region, "parameters": task.parameters, "records": []}
    (place.folder / "results.json").write_text(json.dumps(results))
    outputs = {"results.json": FileHashes().sha256(place.folder / "results.json")}
    data = {name: f"hash of {name}" for name in reads}
    inputs = {**task.inputs, "data": data, "code": {name: FileHashes().sha256(library_files()[name]) for name in loads}}
    said = dict.fromkeys(("notebook_sha256", "started_at", "commit", "python"), "")
    run = {**said, "parameters": task.parameters, "changed": [], "packages": {}, "seconds": 1}
    (place.folder / "run.json").write_text(json.dumps({**run, "inputs": inputs, "outputs": outputs}))
    return place


TABLES = {"province": "hash of province", "city": "hash of city"}


def plan(project, name="01_one", settings=None, tables=TABLES):
    (notebook,) = find_notebooks(project, [name])
    return Planner(project, tables).task(notebook, {**(settings or {}), "region": "yrd"})


def test_a_notebook_is_stale_for_each_reason_and_says_which(project):
    path = make_notebook(project, "01_one", "import clusterlib as cl\ncl.data.load_panel('province')")
    assert plan(project).reasons == ["it has not been run"]
    place = pretend_run(project, plan(project), ["province"])
    assert plan(project).reasons == []
    assert plan(project, settings={"n": "4"}).reasons == ["parameter n was 3, is 4"]
    assert plan(project, tables={**TABLES, "city": "other"}).reasons == []
    assert plan(project, tables={**TABLES, "province": "other"}).reasons == ["data changed: province"]
    (place.folder / "results.json").write_text("{}")
    assert plan(project).reasons == ["01_one/results.json was changed after the run"]
    (place.folder / "results.json").unlink()
    assert plan(project).reasons == ["01_one/results.json is missing"]
    pretend_run(project, plan(project), ["province"])
    place.failed.mkdir()
    (place.failed / "error.json").write_text("{}")
    assert plan(project).reasons == ["its last run failed"]
    (place.failed / "error.json").unlink()
    path.write_text(path.read_text().replace("'province'", "'city'"))
    assert plan(project).reasons == ["the notebook changed"]
    for captions in ("01_one.yml", "words.yml"):
        pretend_run(project, plan(project))
        assert plan(project).reasons == []
        (project.notebooks / captions).write_text("results: {}")
        assert plan(project).reasons == ["the notebook changed"]


def test_a_change_of_the_study_concerns_what_loaded_it(built_project):
    built_project.notebooks.mkdir()
    make_notebook(built_project, "01_one", "x = 1")
    files = Planner(built_project, TABLES).sources
    assert files_of(["clusterlib.study._design"], files) == ["data/study/design.yml", "study/_design.py"]
    assert files_of(["clusterlib.regions"], files) == ["data/study/regions.csv", "regions.py"]
    place = pretend_run(built_project, plan(built_project))
    run = json.loads((place.folder / "run.json").read_text())
    run["inputs"]["code"]["data/study/design.yml"] = files["data/study/design.yml"]
    (place.folder / "run.json").write_text(json.dumps(run))
    assert plan(built_project).reasons == []
    design = built_project.study / "design.yml"
    design.write_text(design.read_text(encoding="utf-8") + "\n# more\n", encoding="utf-8")
    assert plan(built_project).reasons == ["library code changed: data/study/design.yml"]


def test_outputs_and_who_ran_a_notebook_last_do_not_make_it_stale(project):
    path = make_notebook(project, "01_one", "x = 1")
    pretend_run(project, plan(project))
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="1")]
    notebook.cells[1].execution_count = 3
    notebook.metadata["language_info"] = {"name": "python", "version": "3.99"}
    nbformat.write(notebook, path)
    assert plan(project).reasons == []


def test_library_code_counts_by_what_the_last_run_loaded(project, tmp_path, monkeypatch):
    import shutil

    from clusterlib.run import sources

    copy = tmp_path / "library" / "clusterlib"
    shutil.copytree(sources.FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__", "run"))
    monkeypatch.setattr(sources, "FOLDER", copy)
    make_notebook(project, "01_one", "import clusterlib as cl\ncl.composite.topsis")
    pretend_run(project, plan(project), loads=["composite/_index.py", "results.py"])
    assert plan(project).reasons == []
    for name in ("maps/base.py", "__init__.py"):
        (copy / name).write_text((copy / name).read_text(encoding="utf-8") + "\n# more\n", encoding="utf-8")
    assert plan(project).reasons == []
    results = copy / "results.py"
    results.write_text(results.read_text(encoding="utf-8") + "\n# more\n", encoding="utf-8")
    assert plan(project).reasons == ["library code changed: results.py"]
    (copy / "composite" / "_index.py").unlink()
    assert plan(project).reasons == ["library code changed: composite/_index.py, results.py"]


# Places.


def test_what_a_killed_run_left_is_cleared_and_a_folder_caught_between_two_names_comes_back(tmp_path):
    region = tmp_path / "yrd"
    for name in (".01_one-1234abcd", ".02_two-old", "03_three", ".03_three-old"):
        (region / name).mkdir(parents=True)
        (region / name / "file").write_text(name)
    (region / ".report-a_5bcdef").mkdir()
    steps = tmp_path / ".state" / "steps"
    steps.mkdir(parents=True)
    half = [".index.html-0123abcd", "yrd/.04_page.html-1234abcd", "yrd/.report-a_5bcdef.typ", ".state/.x.json-1234abcd"]
    for name in (*half, ".state/steps/.yrd.01_one.json-1234abcd", "yrd/.mine"):
        (tmp_path / name).write_text("half")
    recover(tmp_path)
    assert list(steps.iterdir()) == [] and [path.name for path in steps.parent.iterdir()] == ["steps"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".state", "yrd"]
    (region / ".mine").unlink()
    assert sorted(p.name for p in region.iterdir()) == ["02_two", "03_three"]
    assert (region / "02_two" / "file").read_text() == ".02_two-old"
    assert (region / "03_three" / "file").read_text() == "03_three"


def test_a_folder_is_replaced_whole(tmp_path):
    new, old = tmp_path / ".new", tmp_path / "01_one"
    for folder, text in ((old, "old"), (new, "new")):
        folder.mkdir()
        (folder / text).write_text(text)
    put_in_place(new, old)
    assert [p.name for p in old.iterdir()] == ["new"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["01_one"]
