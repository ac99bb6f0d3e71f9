"""Damage to any file that is read is refused by name and line, or changes nothing; never a raw error, never no end."""

from __future__ import annotations

import json

import nbformat
import pytest
from damage import (
    PLACES,
    RECORDS,
    STUDY,
    Subject,
    cases_of,
    copy_raw,
    copy_study,
    make_records,
    note_subjects,
    raw_subjects,
    try_all,
)

from clusterlib.captions import load_captions
from clusterlib.errors import CaptionsError, ClusterlibError, InvalidInputError, StudyError
from clusterlib.paths import get_project
from clusterlib.results import MIME, collect_images, collect_records, load_results
from clusterlib.run.hashes import FileHashes
from clusterlib.run.notebooks import find_notebooks
from clusterlib.run.parameters import Parameter, parse_grid, read_parameters
from clusterlib.run.status import find_status
from clusterlib.study.scenario._cases import read_cases

REAL = get_project()
SEED = 20_261_130
# As many cases of each file as the time of a test allows; benchmarks/fuzz_files.py tries all.
TRIED = 25


def names(subjects: list[Subject]) -> list[str]:
    return [f"{subject.file}{'-kept' * subject.kept}" for subject in subjects]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return copy_study(REAL, tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return copy_raw(REAL, tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return make_records(REAL, tmp_path_factory.mktemp("records"))


def none_wrong(project, subject, tried=TRIED):
    found = list(try_all(project, [subject], SEED, at_most=tried))
    assert len(found) >= min(tried, 20)
    assert [str(one) for one in found if one.wrong] == []


@pytest.mark.parametrize("subject", STUDY, ids=names(STUDY))
def test_damage_to_a_file_of_the_study_is_told(study, subject):
    none_wrong(study, subject)


NOTES = [one for one in note_subjects(REAL) if one.file.split("/")[1][:2] in {"02", "90", "wo"}]


@pytest.mark.parametrize("subject", NOTES, ids=names(NOTES))
def test_damage_to_a_notebook_or_its_captions_is_told(study, subject):
    none_wrong(study, subject)


TABLES = ["catalogue.csv", "units.csv"]


@pytest.mark.parametrize("file", TABLES)
def test_damage_to_a_raw_table_is_told(raw, file):
    (subject,) = [one for one in raw_subjects(raw) if one.file == f"data/raw/{file}"]
    none_wrong(raw, subject, 20)


@pytest.mark.parametrize("subject", RECORDS, ids=names(RECORDS))
def test_a_damaged_record_of_a_run_is_told_or_counts_as_absent(records, subject):
    none_wrong(records, subject)


# What is written in a file is not followed, and what goes on and on is not gone after.


def notebook(*outputs):
    made = [nbformat.from_dict({"output_type": "display_data", "metadata": {}, **output}) for output in outputs]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", id="c1", outputs=made)])


FIGURE = {"name": "map", "kind": "figure", "value": "figures/map.en.png", "value_zh": "figures/map.zh.png"}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../map"},
        {"name": "/etc/map"},
        {"name": "map/x"},
        {"value": "../../outside.png"},
        {"value": "/tmp/outside.png"},
        {"value_zh": "figures/../../outside.png"},
        {"kind": "page"},
        {"kind": "number", "value": "1"},
        {"kind": "number", "value": 1e999},
        {"kind": "number", "value": 10**400},
        {"kind": "table", "value": {"index": [], "columns": ["a"], "data": [[1, 2]]}},
        {"kind": "table", "value": {"index": [], "columns": ["a"], "data": [[{}]]}},
        {"label_en": ["a"]},
    ],
    ids=str,
)
def test_a_result_made_by_hand_cannot_be_written_outside_its_folder(change, tmp_path):
    entry = {**FIGURE, **change}
    by_hand = notebook({"data": {MIME: entry, "image/png": "AAAA"}})
    for collect in (collect_records, collect_images):
        with pytest.raises(ClusterlibError, match="cell c1 shows a result that is none"):
            collect(by_hand)
    folder = tmp_path / "yrd" / "02_overview"
    folder.mkdir(parents=True)
    content = {"notebook": "02_overview", "region": "yrd", "parameters": {}, "records": [entry]}
    (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ClusterlibError, match=r"yrd/02_overview/results.json is damaged"):
        load_results("02_overview", "yrd", tmp_path)


def test_a_picture_that_no_record_names_is_no_file_of_the_run():
    about = {"metadata": {MIME: {"name": "../../outside", "language": "en"}}, "data": {"image/png": "AAAA"}}
    own = {"metadata": {MIME: {"name": "map", "language": "en"}}, "data": {"image/png": "BBBB", MIME: FIGURE}}
    assert collect_images(notebook(about, own)) == {"figures/map.en.png": "BBBB"}


def test_results_that_were_copied_from_elsewhere_are_not_taken_for_a_regions_own(records):
    folder = records.reports / "gba" / "01_one"
    folder.mkdir(parents=True)
    whole = (records.reports / "yrd" / "01_one" / "results.json").read_bytes()
    (folder / "results.json").write_bytes(whole)
    with pytest.raises(ClusterlibError, match="is of 01_one for yrd"):
        load_results("01_one", "gba", records.reports)
    with pytest.raises(InvalidInputError, match="expected its name"):
        load_results("../yrd/01_one", "yrd", records.reports)


def test_a_device_that_a_record_names_is_not_read():
    with pytest.raises(FileNotFoundError):
        FileHashes().sha256("/dev/zero")


@pytest.mark.parametrize(
    "text",
    [
        "{x.__class__}", "{x[0]}", "{0}", "{}", "{x!r}", "{x!r:>{y}}", "{x:{y}}", "{x:1000000000}", "{x:0>99}",
        "{x:.999f}", "{x", "x}", "{x!}", "{x:s}", "{" * 51, "{ x }", "{x__y.z:d}",
    ],
)  # fmt: skip
def test_a_caption_holds_no_format_but_names_and_decimals(text, tmp_path):
    quoted = json.dumps(text)
    content = f"results:\n  a:\n    label: {{en: {quoted}, zh: {quoted}}}\n"
    (tmp_path / "01_a.yml").write_text(content, encoding="utf-8")
    with pytest.raises(CaptionsError, match=r"01_a.yml, line 3, at 'results.a.label.en'"):
        load_captions("01_a", tmp_path)


@pytest.mark.parametrize("name", ["{a}.{a}", "x" + "{a}{b}{c}{d}", "".join(f"{{{c}}}" for c in "abcdefghij")])
def test_the_parts_of_a_captions_name_are_few_and_differ(name, tmp_path):
    (tmp_path / "01_a.yml").write_text(f'results:\n  "{name}":\n    label: x\n', encoding="utf-8")
    with pytest.raises(CaptionsError, match=r"line 2, .*at most 3 parts"):
        load_captions("01_a", tmp_path)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(", "a{1,99999}", ".*", "软件|", "|", "\\w"])
def test_the_words_of_a_case_are_no_regular_expression(raw_project, pattern):
    path = raw_project.study / "cases.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("纺织|经编", f'"{pattern}"'), encoding="utf-8")
    with pytest.raises(StudyError, match=r"cases.csv, line 5, column 'pattern': .*expected words"):
        read_cases(raw_project.root)


# Each would take memory or depth without end, if it were computed.
ANNOTATIONS = ["Literal[9**9**9]", "list[" * 60 + "]" * 60, f"Literal[0x{'f' * 9000}]", "'" * 3]


@pytest.mark.parametrize("kind", ANNOTATIONS, ids=lambda kind: kind[:16])
def test_an_annotation_is_never_evaluated_and_one_that_cannot_be_read_is_told(kind):
    with pytest.raises(InvalidInputError, match="parameter x of 01_a"):
        Parameter("x", kind, None).parse([[1]], "01_a")


VALUES = ["9" * 5000, "1e999", "nan", "[" * 500 + "]" * 500, "9**9**9", "__import__('os')", "\0"]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value[:16]))
@pytest.mark.parametrize("kind", ["int", "float", "list[int]", "dict"])
def test_a_value_of_another_kind_is_refused_however_long_it_is(kind, value):
    with pytest.raises(InvalidInputError, match=rf"parameter x of 01_a is an? {kind.split('[')[0]}"):
        Parameter("x", kind, None).parse(value, "01_a")


@pytest.mark.parametrize("text", ["[1, NaN]", "[" * 2000, "[" + "9" * 5000 + "]", '[{"a": 1, "a": 2}]'])
def test_a_grid_is_read_as_json_alone(text):
    with pytest.raises(InvalidInputError, match="is not a JSON list"):
        parse_grid([f"x={text}"])


def test_a_default_that_a_record_cannot_hold_counts_as_none():
    source = f"a = {{1, 2}}\nb = 0x{'f' * 9000}\nc = 1e999\nd = 2j\ne = (1, 'x')"
    assert {name: one.default for name, one in read_parameters(source).items()} == {
        "a": None, "b": None, "c": None, "d": None, "e": (1, "x"),
    }  # fmt: skip


CELLS = {
    "NUL": "region = '\0'",
    "surrogate": "region = '\ud800'",
    "brackets": "region = " + "[" * 300,
    "signs": "region = " + "-" * 20_000 + "1",
    "attributes": "x: " + "a." * 5000 + "b = 1",
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_a_parameters_cell_that_cannot_be_read_is_told_and_stops_no_other(project, cell):
    for name, source in (("01_bad", cell), ("02_good", 'region: str = "yrd"')):
        made = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source, id="p", metadata={"tags": ["parameters"]})]
        )
        (project.notebooks / f"{name}.ipynb").write_text(json.dumps(made), encoding="utf-8")
    with pytest.raises(ClusterlibError, match=r"01_bad.ipynb"):
        find_notebooks(project, ["01_bad"])
    tasks, notes = find_status(["yrd"], project=project)
    assert "yrd/02_good" in tasks and "01_bad.ipynb" in notes[0]


def test_the_cases_of_a_seed_are_always_the_same():
    subject, content = STUDY[2], (REAL.root / STUDY[2].file).read_bytes()
    first, again = ([(case.name, case.content) for case in cases_of(subject, content, SEED)] for _ in range(2))
    assert first == again and len({name for name, _ in first}) > 20
    assert PLACES.keys() <= {name for name, _ in first}
