"""Regression tables in HTML and LaTeX, and what is recorded when they are shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from panel_cases import case, made_panel
from traitlets.config import Config

from clusterlib.core.results import Estimates
from clusterlib.core.results import Test as HypothesisTest
from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError
from clusterlib.inference import coefficient_table, stars
from clusterlib.panel import fixed_effects, instrumental_variables, mediation
from clusterlib.results import MIME, Record, record
from clusterlib.tables import coefficient_records, regression_table, three_line_table, three_line_table_latex


def model(footer: dict | None = None, **rows) -> SimpleNamespace:
    """A result with estimate, standard error and p value of each variable."""
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "std_error", "p_value"])
    return SimpleNamespace(table=table, footer=footer or {})


MODELS = {
    "(1)": model({"n": 31000, "R²": 0.98765, "fixed effects": True}, const=(1, 0.5, 0.2), x=(0.5, 0.2, 0.04)),
    "(2)": model({"n": 310, "fixed effects": False, "errors": "Conley"}, x=(-1234.5678, 12.3, 0.0004), z=(2, 1, 0.06)),
}
TABLE = [
    ["x", "0.500**", "-1,234.568***"],
    ["", "(0.200)", "(12.300)"],
    ["z", "", "2.000*"],
    ["", "", "(1.000)"],
    ["Constant 常数项", "1.000", ""],
    ["", "(0.500)", ""],
    ["n", "31,000", "310"],
    ["R²", "0.988", ""],
    ["fixed effects", "yes 是", "no 否"],
    ["errors", "", "Conley"],
]


class Cells(HTMLParser):
    """The style and the whole text of each cell, and how much of it hangs beyond the column."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.cells: list[dict] = []
        self.hanging = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        style = dict(attrs).get("style", "")
        if tag in ("td", "th"):
            self.cells.append({"style": style, "text": "", "behind": ""})
        self.hanging = tag == "span" and "width:0" in style

    def handle_endtag(self, tag):
        self.hanging = False

    def handle_data(self, data):
        self.cells[-1]["text"] += data
        if self.hanging:
            self.cells[-1]["behind"] += data


def test_coefficients_have_stars_and_errors_stand_below_in_parentheses_then_what_models_say_of_themselves():
    table = regression_table(MODELS)
    assert table.columns.tolist() == ["Variable 变量", "(1)", "(2)"]
    assert table.to_numpy().tolist() == TABLE


def test_labels_decimals_variables_and_lines_are_as_asked_for():
    labels = {"x": "Broadband 宽带", "const": "Intercept"}
    table = regression_table(MODELS, labels, variables=["const", "x"], footer="n", digits=1, heading="")
    assert table[""].tolist() == ["Intercept", "", "Broadband 宽带", "", "n"]
    assert table["(2)"].tolist() == ["", "", "-1,234.6***", "(12.3)", "310"]


def test_new_variables_and_lines_stand_behind_the_one_before_them_in_their_model():
    models = {
        "a": model({"n": 1, "R²": 0.5, "last": 2}, x=(1, 1, 1), y=(1, 1, 1)),
        "b": model({"n": 1, "within": 0.5, "last": 2}, x=(1, 1, 1), w=(1, 1, 1), y=(1, 1, 1)),
    }
    assert regression_table(models)["Variable 变量"].tolist() == [
        "x",
        "",
        "w",
        "",
        "y",
        "",
        "n",
        "within",
        "R²",
        "last",
    ]


def test_a_figure_that_would_round_to_zero_is_written_with_its_power_of_ten():
    table = regression_table({"m": model({"tiny": 0.0001}, x=(-0.0000421, 0.00001, 0.001), zero=(0.0, 0.0004, 1.0))})
    assert table["m"].tolist() == ["-4.2e-05***", "(1.0e-05)", "0.000", "(4.0e-04)", "1.0e-04"]


def test_a_missing_error_or_p_value_leaves_no_stars_and_no_parentheses():
    table = regression_table({"m": model({"none": None, "not a number": np.nan}, x=(1.0, np.nan, np.nan))})
    assert table["m"].tolist() == ["1.000", "", "", ""]


def test_results_of_the_panel_package_fit_with_their_numbers():
    data, y, x = case("grunfeld")
    models = {"OLS": fixed_effects(data, y, x, "none"), "FE": fixed_effects(data, y, x, "entity", "driscoll-kraay")}
    table = regression_table(models).set_index("Variable 变量")
    assert table.loc["value", "FE"].rstrip("*") == f"{models['FE'].params['value']:.3f}"
    assert table.loc["Units 个体数"].tolist() == ["10", "10"]
    assert table.loc["Standard errors 标准误"].tolist() == ["unit clusters 个体聚类", "Driscoll-Kraay"]
    assert table.loc["R²"].tolist() == ["0.812", ""]
    assert table.loc["Within R² 组内 R²"].tolist() == ["", "0.767"]
    made = made_panel(20, 5, 0, "yxzm")
    others = {
        "IV": instrumental_variables(made.assign(x=made["x"] + made["z"]), "y", "m", "x", "z"),
        "mediation": mediation(made, "y", "x", "m", draws=20),
    }
    shown = regression_table(others)
    assert {"x", "indirect", "First-stage F 第一阶段 F"} <= set(shown["Variable 变量"])


def test_records_keep_full_precision_by_model_and_variable():
    frame = coefficient_records(MODELS)
    assert frame.index.names == ["model", "variable"]
    assert frame.index.tolist() == [("(1)", "const"), ("(1)", "x"), ("(2)", "x"), ("(2)", "z")]
    assert frame.loc[("(2)", "x"), "estimate"] == -1234.5678


def test_what_a_result_shows_to_people_is_no_source_of_a_table():
    with pytest.raises(InvalidInputError, match="m: expected a result whose table"):
        regression_table({"m": SimpleNamespace(summary=lambda: MODELS["(1)"].table, footer={"n": 7})})


def test_a_line_may_be_named_by_the_english_of_its_label_and_is_then_shown_so():
    models = {"m": model({"Observations 观测数": 31, "n": 7}, x=(0.5, 0.2, 0.02))}
    assert regression_table(models, footer=["n", "Observations"]).to_numpy().tolist()[2:] == [
        ["n", "7"], ["Observations", "31"],
    ]  # fmt: skip
    with pytest.raises(UnknownNameError, match="footer line 'Observation'"):
        regression_table(models, footer="Observation")


def test_estimates_bring_their_footer_and_their_tests():
    @dataclass(frozen=True, eq=False, kw_only=True)
    class Fit(Estimates):
        """A fit."""

        def _own_footer(self):
            return {"R²": 0.5, "Errors": "classical"}

        @property
        def tests(self):
            return {"hausman": HypothesisTest.of("Hausman", "random effects", 5.0, "chi2", 2)}

    params = pd.Series({"x": 0.5, "z": -2.0})
    covariance = pd.DataFrame(np.diag([0.04, 1.0]), params.index, params.index)
    fit = Fit(params=params, covariance=covariance, nobs=62, n_units=31, n_periods=2, df_resid=29, loglik=-12.5)
    table = regression_table({"m": fit}, digits=2)
    assert table.to_numpy().tolist() == [
        ["x", "0.50**"], ["", "(0.20)"], ["z", "-2.00**"], ["", "(1.00)"],
        ["Observations 观测数", "62"], ["Units 个体数", "31"], ["Periods 期数", "2"],
        ["Log-likelihood 对数似然", "-12.50"],
        ["R²", "0.50"], ["Errors", "classical"], ["Hausman", "5.000 [p = 0.082]"],
    ]  # fmt: skip
    alone = SimpleNamespace(table=fit.table, footer={"n": 62}, tests=fit.tests)
    assert regression_table({"m": alone}, footer=["Hausman", "n"])["m"].tolist()[4:] == ["5.000 [p = 0.082]", "62"]


KINDS = [None, 3, 1.5, "x", "y", {"a": 1}, ["a"], np.array([1.0]), pd.Series([1.0]), pd.Timestamp("2020"), object()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
@pytest.mark.parametrize("argument", ["models", "labels", "variables", "footer", "digits"])
def test_an_argument_of_another_kind_is_taken_or_refused(argument, kind):
    try:
        table = regression_table(**{"models": {"m": MODELS["(2)"]}, argument: kind})
    except ClusterlibError:
        return
    assert "x" in table["Variable 变量"].tolist()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
@pytest.mark.parametrize("argument", ["estimates", "std_errors", "df", "level"])
def test_a_table_of_coefficients_takes_series_and_numbers_alone(argument, kind):
    arguments = {"estimates": pd.Series({"x": 2.0}), "std_errors": pd.Series({"x": 1.0}), "df": 9, "level": 0.9}
    try:
        table = coefficient_table(**{**arguments, argument: kind})
    except ClusterlibError:
        return
    assert isinstance(kind, pd.Series) or (argument == "df" and (kind is None or kind in (3, 1.5)))
    assert list(table.columns) == ["estimate", "std_error", "statistic", "p_value", "lower", "upper"]


@pytest.mark.parametrize("kind", [None, "0.01", {}, [0.01], pd.Series([0.01])], ids=lambda kind: type(kind).__name__)
def test_stars_are_of_a_number(kind):
    assert (stars(0.04), stars(np.float64(0.001)), stars(np.nan)) == ("**", "***", "")
    with pytest.raises(InvalidInputError, match="p_value="):
        stars(kind)


@pytest.mark.parametrize("dtype", ["Float64", "double[pyarrow]", object])
def test_tables_of_other_kinds_of_numbers_are_set_alike(dtype):
    table = MODELS["(2)"].table
    other = SimpleNamespace(table=table.astype(dtype), footer=MODELS["(2)"].footer)
    pd.testing.assert_frame_equal(regression_table({"m": other}), regression_table({"m": MODELS["(2)"]}))
    with pytest.raises(InvalidInputError, match="of its table are not numbers"):
        regression_table({"m": SimpleNamespace(table=table.astype(object).assign(estimate="large"))})


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ({}, "expected models by name"),
        ([MODELS["(1)"]], "expected models by name"),
        ({"a": 3}, "a: expected a result whose table has the columns estimate, std_error, p_value"),
        ({"a": SimpleNamespace(table=pd.DataFrame({"estimate": [1.0]}))}, "a: expected a result"),
        ({"a": SimpleNamespace(table=pd.concat([MODELS["(1)"].table] * 2))}, "'const' stands in its table twice"),
    ],
)
def test_what_is_no_model_is_refused(models, words):
    for method in (regression_table, coefficient_records):
        with pytest.raises(InvalidInputError, match=words):
            method(models)


def test_unknown_variables_and_lines_are_refused():
    with pytest.raises(UnknownNameError, match="variable 'y'"):
        regression_table(MODELS, variables=["y"])
    with pytest.raises(UnknownNameError, match="footer line 'N'"):
        regression_table(MODELS, footer=["N"])


def test_the_last_digits_of_a_column_stand_in_one_line_and_no_blanks_are_padded():
    html = three_line_table(regression_table(MODELS))
    cells = Cells(html).cells
    rows = [[c["text"] for c in cells[i : i + 3]] for i in range(0, len(cells), 3)]
    assert rows[1:] == TABLE
    by_text = {c["text"]: c for c in cells}
    for text, behind in (("0.500**", "**"), ("(0.200)", ")"), ("-1,234.568***", "***"), ("31,000", ""), ("Conley", "")):
        assert by_text[text]["behind"] == behind
        assert "text-align:right" in by_text[text]["style"]
    assert "text-align:left" in by_text["x"]["style"]
    assert not re.search("&nbsp;| {2,}|\u2007|\u2003|\xa0", html)
    assert html.count("<td") == html.count("</td>") == 30


@pytest.mark.parametrize(
    ("values", "align"),
    [
        (["0.1*", "(0.2)"], "right"),
        (["1.0e-05**", ""], "right"),
        (["(1)", "(2)"], "right"),
        (["0.1", "0.2"], "left"),
        (["a*", "b (1990)"], "left"),
        (["yes", "no"], "left"),
    ],
)
def test_only_text_with_figures_that_are_set_is_aligned_as_figures(values, align):
    cells = Cells(three_line_table(pd.DataFrame({"v": values}))).cells
    assert all(f"text-align:{align}" in cell["style"] for cell in cells)


def test_stars_in_words_do_not_hang_and_text_stays_escaped():
    cells = Cells(html := three_line_table(pd.DataFrame({"v": ["0.1*", "note*", "<b>1</b>*"]}))).cells
    assert [c["behind"] for c in cells[1:]] == ["*", "", ""]
    assert "<b>" not in html


def latex_rows(text: str) -> list[list[str]]:
    body = text.split("\\midrule\n")[1].split("\n\\bottomrule")[0]
    return [re.split(r"(?<!\\) & ", line.removesuffix(r" \\")) for line in body.split("\n")]


def test_latex_has_booktabs_rules_a_column_each_and_the_cells_of_the_page():
    text = three_line_table_latex(
        regression_table(MODELS), "Effects", "效应", unit="percent", note="n < 3", source="R&D", label="tab:effects"
    )
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\hline")] == [1, 1, 1, 0]
    assert r"\begin{tabular}{lrr}" in text
    assert r"\caption{Effects 效应}" in text
    assert text.index(r"\caption") < text.index(r"\label{tab:effects}") < text.index(r"\begin{tabular}")
    assert r"Unit: percent; Note: n \textless{} 3; Source: R\&D" in text
    rows = latex_rows(text)
    assert [len(row) for row in rows] == [3] * 10
    assert rows[0] == ["x", r"0.500\rlap{\textsuperscript{**}}", r"$-$1,234.568\rlap{\textsuperscript{***}}"]
    assert rows[1] == ["", r"(0.200\rlap{)}", r"(12.300\rlap{)}"]
    assert text.count("{") == text.count("}")
    for environment in ("table", "tabular"):
        assert text.count(rf"\begin{{{environment}}}") == text.count(rf"\end{{{environment}}}") == 1


def test_latex_takes_no_text_for_a_command_and_no_hyphen_for_a_minus():
    evil = "50% of R&D_{x} #1 $2 ~^ \\input{a} <b>"
    frame = pd.DataFrame({evil: ["[1] a-b", "-5"], "n": [-1.5, 12345.678]}, index=pd.Index([evil, "b"], name="k"))
    text = three_line_table_latex(frame, evil, digits=1)
    shown = (
        r"50\% of R\&D\_\{x\} \#1 \$2 \textasciitilde{}\textasciicircum{} "
        r"\textbackslash{}input\{a\} \textless{}b\textgreater{}"
    )
    assert text.count(shown) == 3
    assert latex_rows(text) == [[shown, "[1] a-b", "$-$1.5"], ["b", "$-$5", "12,345.7"]]
    optional = three_line_table_latex(pd.DataFrame({"x": ["[0pt]", "*"]}))
    assert "\n{}[0pt] \\\\\n{}* \\\\" in optional


def test_latex_takes_digits_and_headers_and_leaves_out_what_is_empty():
    frame = pd.DataFrame({"p": [0.00001, np.nan]}, index=pd.Index(["a", "b"], name="test"))
    text = three_line_table_latex(frame, digits={"p": 3}, headers={"p": "p 值"})
    assert r"test & p 值 \\" in text
    assert latex_rows(text) == [["a", r"\textless{}0.001"], ["b", "–"]]
    assert not any(word in text for word in (r"\caption", r"\label", r"\footnotesize"))
    with pytest.raises(InvalidInputError, match="table 'T' has no rows"):
        three_line_table_latex(pd.DataFrame(), "T")


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """IPython's own shell, whose display publisher the tests capture."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    yield InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    InteractiveShell.clear_instance()


def test_a_set_table_is_shown_while_the_numbers_are_recorded(shell):
    with capture_output() as captured:
        record("effects", coefficient_records(MODELS), label="Effects", shown=regression_table(MODELS))
    [output] = captured.outputs
    entry = output.data[MIME]
    recorded = Record(**{k: v for k, v in entry.items() if k in Record.__dataclass_fields__})
    assert recorded.frame().loc[("(2)", "x"), "estimate"] == -1234.5678
    pd.testing.assert_frame_equal(recorded.frame(), coefficient_records(MODELS), check_dtype=False)
    assert recorded.shown["rows"] == TABLE
    assert "Effects" in output.data["text/html"]
    assert "1,234.568" in output.data["text/html"]
    assert "1234.5678" not in output.data["text/html"]
    assert "(12.300)" in output.data["text/plain"]


def test_every_recorded_table_keeps_the_cells_that_people_see(shell):
    frame = pd.DataFrame({"share": [0.123456, None]}, index=pd.Index(["a", "b"], name="region"))
    with capture_output() as captured:
        record("shares", frame, digits=2, headers={"share": "Share 占比"})
    entry = captured.outputs[0].data[MIME]
    assert entry["shown"] == {
        "heads": ["region", "Share 占比"],
        "rows": [["a", "0.12"], ["b", "–"]],
        "align": ["left", "right"],
    }
    assert entry["value"]["data"][0] == ["a", 0.123456]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.5, regression_table(MODELS)), ("text", regression_table(MODELS)), (MODELS["(1)"].table, "x")],
)
def test_only_a_frame_may_be_shown_and_only_for_a_table(shell, value, shown):
    with capture_output() as captured, pytest.raises(InvalidInputError, match="shown= is a DataFrame"):
        record("effects", value, shown=shown)
    assert captured.outputs == []
