"""Recording numbers, texts, tables and figures in a notebook's output, collecting them and loading them again."""

from __future__ import annotations

import base64
import io
import json
import math
from fractions import Fraction
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image
from traitlets.config import Config

from clusterlib.core.tables import format_number
from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError
from clusterlib.results import MIME, collect_records, load_results, record

PANEL = pd.DataFrame(
    {"gdp": [1.25, None], "name": ["甲", "乙"], "count": [3, 4]},
    index=pd.MultiIndex.from_tuples([(110000, 2020), (120000, 2020)], names=["adcode", "year"]),
)


@pytest.fixture(autouse=True)
def shell(tmp_path, monkeypatch):
    """IPython's own shell, whose display publisher the tests capture."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    config = Config({"HistoryManager": {"enabled": False}})
    yield InteractiveShell.instance(config=config)
    InteractiveShell.clear_instance()


def outputs_of(*args, **kwargs) -> list:
    """Record with real display and return the outputs as a notebook keeps them."""
    with capture_output() as captured:
        record(*args, **kwargs)
    assert captured.stdout == captured.stderr == ""
    return [nbformat.v4.new_output("display_data", data=o.data, metadata=o.metadata) for o in captured.outputs]


def output_of(*args, **kwargs):
    [output] = outputs_of(*args, **kwargs)
    return output


def notebook(**cells: list) -> nbformat.NotebookNode:
    """A notebook of a heading and these cells with their outputs, as it comes back from its file."""
    code = [nbformat.v4.new_code_cell("record(...)", id=name, outputs=outputs) for name, outputs in cells.items()]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title", id="heading"), *code])
    return nbformat.reads(nbformat.writes(made), as_version=4)


def loaded(reports: Path, **cells: list):
    """Write what a run writes of this notebook and load it."""
    records = collect_records(notebook(**cells))
    folder = reports / "yrd" / "02_overview"
    folder.mkdir(parents=True)
    content = {"notebook": "02_overview", "region": "yrd", "parameters": {"region": "yrd"}, "records": records}
    (folder / "results.json").write_text(json.dumps(content, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    return load_results("02_overview", "yrd", reports)


def test_a_number_comes_back_in_full_with_all_that_was_said_of_it_and_its_cell(tmp_path):
    value = 9.3123456789012345
    outputs = outputs_of(
        "gdp.software_share", value, "percent", "Software in GDP", "软件占比", note="2022", source="NBS", digits=1
    )
    results = loaded(tmp_path, numbers=outputs)
    found = results["gdp.software_share"]
    assert found.value == value
    assert (found.kind, found.unit, found.label_en, found.label_zh) == (
        "number",
        "percent",
        "Software in GDP",
        "软件占比",
    )
    assert (found.note, found.source, found.cell) == ("2022", "NBS", "numbers")
    assert (results.notebook, results.region, results.parameters) == ("02_overview", "yrd", {"region": "yrd"})


def test_a_number_is_shown_with_label_unit_note_and_the_digits_asked_for():
    data = output_of("share", 9.3123, "percent", "Software & GDP", "软件", note="a < b", digits=1).data
    assert data["text/plain"] == "Software & GDP 软件: 9.3 percent"
    assert "Software &amp; GDP 软件: <strong>9.3</strong> percent" in data["text/html"]
    assert "(a &lt; b)" in data["text/html"]
    assert output_of("share", 2)["data"]["text/plain"] == "share: 2"


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (45, "number", 45),
        (-0.5, "number", -0.5),
        (True, "number", True),
        (np.float64(1.5), "number", 1.5),
        (np.float32(0.5), "number", 0.5),
        (np.int64(7), "number", 7),
        (np.bool_(False), "number", False),
        (np.array(2.5), "number", 2.5),
        ("none <b>", "text", "none <b>"),
    ],
)
def test_scalars_are_recorded_as_pythons_own(value, kind, expected):
    data = output_of("x", value).data
    assert (data[MIME]["kind"], data[MIME]["value"]) == (kind, expected)
    assert type(data[MIME]["value"]) is type(expected)
    assert json.loads(json.dumps(data[MIME]))["value"] == expected
    assert "<b>" not in data["text/html"]


def test_a_table_comes_back_with_index_columns_and_missing_figures(tmp_path):
    results = loaded(tmp_path, c=outputs_of("panel", PANEL, headers={"gdp": "GDP 总值"}, digits=1))
    assert results["panel"].value["data"] == [[110000, 2020, 1.25, "甲", 3], [120000, 2020, None, "乙", 4]]
    pd.testing.assert_frame_equal(results["panel"].frame(), PANEL, check_dtype=False)


LABELLED = {
    "labels": pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=["Beijing", "Shanghai"]),
    "numbers": pd.DataFrame({"a": [1, 2]}, index=[7, 8]),
    "years": pd.DataFrame({"a": [1, 2]}, index=range(2020, 2022)),
    "transposed": pd.DataFrame({"Beijing": [1.0, 2.0]}, index=["gdp", "rd"]).T,
    "described": pd.DataFrame({"a": [1.0, 2.0]}).describe(),
    "levels": pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)])),
    "one name": pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([("x", 1)], names=["unit", None])),
    "series": pd.Series([1.0, 2.0], index=["x", "y"], name="a").to_frame(),
    "a name twice": pd.DataFrame({"year": [1, 2]}, index=pd.Index([2020, 2021], name="year")),
    "columns of one name": pd.DataFrame([[1, 2.5]], columns=["a", "a"]),
}


@pytest.mark.parametrize("frame", LABELLED.values(), ids=LABELLED)
def test_a_table_comes_back_with_the_labels_of_its_rows(tmp_path, frame):
    outputs = outputs_of("t", frame)
    pd.testing.assert_frame_equal(loaded(tmp_path, c=outputs)["t"].frame(), frame, check_dtype=False)
    for label in frame.index.get_level_values(0):
        if frame.index.name or not isinstance(frame.index, pd.RangeIndex) or frame.index.start:
            assert f">{label}</td>" in outputs[0].data["text/html"]
            assert str(label) in [row[0] for row in outputs[0].data[MIME]["shown"]["rows"]]


def test_the_numbers_of_rows_are_no_labels(tmp_path):
    outputs = outputs_of("t", pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    assert outputs[0].data[MIME]["value"] == {"index": [], "columns": ["a", "b"], "data": [[1, "x"], [2, "y"]]}
    assert outputs[0].data[MIME]["shown"]["heads"] == ["a", "b"]


def test_a_table_keeps_full_precision_while_it_shows_the_digits_and_headers_asked_for():
    data = output_of("t", pd.DataFrame({"x": [1 / 3]}), digits={"x": 2}, headers={"x": "三分之一"}).data
    assert data[MIME]["value"] == {"index": [], "columns": ["x"], "data": [[1 / 3]]}
    assert "0.33<" in data["text/html"]
    assert "三分之一" in data["text/html"]


def test_a_series_is_a_table_of_one_column_and_infinity_is_no_figure(tmp_path):
    series = pd.Series([1.0, math.inf, math.nan], index=pd.Index(["a", "b", "c"], name="unit"), name="x")
    results = loaded(tmp_path, c=outputs_of("series", series))
    assert results["series"].value == {
        "index": ["unit"],
        "columns": ["x"],
        "data": [["a", 1.0], ["b", None], ["c", None]],
    }
    assert results["series"].frame().index.tolist() == ["a", "b", "c"]


def test_a_record_that_is_no_table_gives_no_frame(tmp_path):
    with pytest.raises(InvalidInputError, match="result 'x' is a number, not a table"):
        loaded(tmp_path, c=outputs_of("x", 1))["x"].frame()


def test_a_figure_is_a_png_of_print_size_with_alt_text_and_is_closed(tmp_path):
    figure, _ = plt.subplots(figsize=(4, 3))
    output = output_of("maps.clusters", figure, label="Clusters", alt="A map with 45 circles")
    assert not plt.fignum_exists(figure.number)
    png = base64.b64decode(output.data["image/png"])
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert image.width == pytest.approx(4 * 300, rel=0.15)
    assert output.metadata["image/png"] == {"alt": "A map with 45 circles", "width": 384}
    assert output.data["text/plain"] == "A map with 45 circles"
    assert loaded(tmp_path, c=[output])["maps.clusters"].value == "figures/maps.clusters.png"


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_a_figure_without_alt_text_is_refused_and_not_shown(alt):
    figure = plt.figure()
    with capture_output() as captured, pytest.raises(InvalidInputError, match="figure 'f' has no alt text"):
        record("f", figure, alt=alt)
    assert captured.outputs == []
    plt.close(figure)


@pytest.mark.parametrize(
    "name", ["", "GDP", "gdp share", "gdp-share", "1st", "_x", "gdp.", ".gdp", "a..b", "总值", "a/b", "a\n"]
)
def test_a_name_of_another_form_is_refused_and_nothing_shown(name):
    with capture_output() as captured, pytest.raises(InvalidInputError, match="result name"):
        record(name, 1)
    assert captured.outputs == []


@pytest.mark.parametrize("name", ["x", "gdp_share", "shares.by_year", "a.2024.b_1"])
def test_names_in_lower_case_with_parts_are_accepted(name):
    assert output_of(name, 1).data[MIME]["name"] == name


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan"), np.float32("inf")])
def test_a_number_that_is_not_finite_is_refused_with_what_to_do(value):
    with pytest.raises(InvalidInputError, match=r"result 'x' is .*: record a finite number, or a text that says why"):
        record("x", value)


@pytest.mark.parametrize(
    "value", [None, [1, 2], {"a": 1}, 1 + 2j, np.array([1, 2]), np.complex128(1), np.datetime64("2020"), Fraction(1, 3)]
)
def test_a_value_of_another_type_is_refused(value):
    with (
        capture_output() as captured,
        pytest.raises(InvalidInputError, match=r"result 'x' is a .*; expected a number, a"),
    ):
        record("x", value)
    assert captured.outputs == []


KINDS = [None, 3, 1.5, True, {"a": 1}, ["a"], np.array([1.0]), pd.Series([1.0]), pd.Timestamp("2020"), object()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
@pytest.mark.parametrize(
    "argument", ["name", "unit", "label", "label_zh", "note", "source", "alt", "digits", "headers", "shown"]
)
@pytest.mark.parametrize("value", [1.5, pd.DataFrame({"a": [1.5]})], ids=["number", "table"])
def test_an_argument_of_another_kind_is_taken_or_refused(value, argument, kind):
    try:
        data = output_of(**{"name": "x", "value": value, argument: kind}).data
    except ClusterlibError:
        return
    assert "1.5" in data["text/html"] or (argument == "digits" and kind == 3) or argument == "shown"


@pytest.mark.parametrize("kind", [*KINDS, "yrdd", ""], ids=lambda kind: type(kind).__name__)
def test_results_are_loaded_by_names_or_refused(tmp_path, kind):
    with pytest.raises(ClusterlibError):
        load_results(kind, "yrd", tmp_path)
    with pytest.raises(ClusterlibError):
        load_results("02_overview", kind, tmp_path)


def test_results_of_a_region_are_found_by_any_of_its_names(tmp_path):
    loaded(tmp_path, c=outputs_of("x", 1.5))
    assert load_results("02_overview", "长三角", tmp_path)["x"].value == 1.5


def test_a_result_of_a_method_is_refused_with_what_to_record():
    with pytest.raises(InvalidInputError, match="record its table"):
        record("x", type("Fit", (), {"table": PANEL})())


def test_an_empty_table_is_refused():
    with pytest.raises(InvalidInputError, match="no rows or no columns"):
        record("x", pd.DataFrame({"a": []}))


def test_two_cells_that_record_one_name_are_refused_with_both_cells():
    first, second = outputs_of("x", 1), outputs_of("x", 2)
    with pytest.raises(ClusterlibError, match="cells one and three both record 'x': rename one"):
        collect_records(notebook(one=first, two=outputs_of("y", 1), three=second))
    with pytest.raises(ClusterlibError, match="cells one and one both record 'x'"):
        collect_records(notebook(one=[*first, *second]))


def test_outputs_that_are_no_records_are_left_out_and_order_is_kept():
    other = [
        nbformat.v4.new_output("stream", text="x"),
        nbformat.v4.new_output("execute_result", data={"text/plain": "1"}),
        nbformat.v4.new_output("error", ename="E", evalue="e", traceback=[]),
    ]
    made = notebook(one=[*other, *outputs_of("b", 1)], two=other, three=[*outputs_of("a", 2), *outputs_of("c", 3)])
    assert [(entry["name"], entry["cell"]) for entry in collect_records(made)] == [
        ("b", "one"), ("a", "three"), ("c", "three"),
    ]  # fmt: skip


def test_results_are_a_mapping_and_an_unknown_name_names_the_nearest(tmp_path):
    results = loaded(tmp_path, c=[*outputs_of("gdp_share", 1), *outputs_of("count", 2)])
    assert list(results) == ["gdp_share", "count"]
    assert len(results) == 2
    assert "count" in results
    with pytest.raises(
        UnknownNameError, match="unknown result of 02_overview for yrd 'gdp_shares'; did you mean 'gdp_share'"
    ):
        results["gdp_shares"]


def test_results_of_a_notebook_that_was_not_run_are_refused_with_the_command(tmp_path):
    with pytest.raises(ClusterlibError, match="clusterlib run --notebook 02_overview --region gba"):
        load_results("02_overview", "gba", tmp_path)


def test_results_are_looked_for_in_the_projects_reports_by_default(project):
    loaded(project.reports, c=outputs_of("x", 1.5))
    assert load_results("02_overview", "yrd")["x"].value == 1.5


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (9.3123, 1, "9.3"),
        (1234.5678, 2, "1,234.57"),
        (1234.5678, None, "1,235"),
        (12.345, None, "12.35"),
        (0.012346, None, "0.01235"),
        (0.0, None, "0.000"),
        (-12345.6, 0, "-12,346"),
        (2024, None, "2024"),
        (-9999, None, "-9999"),
        (10000, None, "10,000"),
        (45, 1, "45.0"),
        (True, None, "yes"),
        (False, 2, "no"),
    ],
)
def test_numbers_are_formatted_for_people(value, digits, shown):
    assert format_number(value, digits) == shown
