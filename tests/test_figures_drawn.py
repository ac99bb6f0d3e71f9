"""The table behind a figure: it holds the numbers that were drawn, of every plot and map."""

from __future__ import annotations

import inspect

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from test_figures_inputs import NO_PLOTS, PLOTS
from test_maps_inputs import MAPS

from clusterlib import figures, maps
from clusterlib.figures import drawn_values

pytestmark = pytest.mark.usefixtures("figure_style")
NO_FIGURES = NO_PLOTS | {"city_points", "scale_bar"}


def functions(module) -> list[str]:
    return [name for name in dir(module) if inspect.isfunction(getattr(module, name)) and name not in NO_FIGURES]


EVERY = [(module, name) for module in (figures, maps) for name in functions(module)]


def numbers_in(value) -> list[float]:
    """The figures in the columns of the tables of an argument."""
    if isinstance(value, dict):
        return [number for inner in value.values() for number in numbers_in(inner)]
    if isinstance(value, pd.Series):
        return [float(number) for number in value.dropna()] if pd.api.types.is_numeric_dtype(value) else []
    if isinstance(value, pd.DataFrame):
        return [number for column in value for number in numbers_in(value[column])]
    return numbers_in(getattr(value, "table", getattr(value, "profile", None))) if hasattr(value, "__dict__") else []


# What is drawn of an argument where that is not all the figures of its first table.
DRAWN = {
    "centre_path": lambda a: [0.0],
    "club_paths": lambda a: numbers_in(a["transitions"]),
    "decomposition_bars": lambda a: numbers_in(a["tables"]["h"][["within", "between", "transvariation"]]),
    "distance_plot": lambda a: numbers_in(a["by_distance"][["within", "across"]]),
    "ellipse_map": lambda a: numbers_in(a["ellipse"].table.loc[[2020]]),
    "network_map": lambda a: [],
    "placebo_plot": lambda a: [0.5, -0.5],
    "specification_curve_plot": lambda a: numbers_in(a["table"][["estimate", "lower", "upper"]]),
    "synthetic_control_plot": lambda a: numbers_in(a["path"]) + numbers_in(a["gaps"]),
    "threshold_plot": lambda a: numbers_in(a["results"]["GDP"].profile.query("stage == 'first'")["likelihood_ratio"]),
    "transition_heatmaps": lambda a: numbers_in(a["markov"].matrix("all")) + numbers_in(a["markov"].matrix(1)),
}


@pytest.mark.parametrize(("module", "name"), EVERY)
def test_the_table_behind_a_figure_holds_the_numbers_that_were_drawn(module, name):
    arguments = (PLOTS | MAPS)[name]
    table = drawn_values(getattr(module, name)(**arguments))
    found = table.select_dtypes("number").to_numpy(dtype=float).ravel()
    found = found[np.isfinite(found)]
    first = next(value for value in arguments.values() if not isinstance(value, str))
    asked = DRAWN.get(name, lambda a: numbers_in(first))(arguments)
    assert asked or name == "network_map"
    assert [number for number in asked if not np.isclose(found, number, rtol=1e-9).any()] == []
    assert not table.columns.has_duplicates and len(table) > 0


def test_a_figure_that_differs_has_another_table():
    shares = PLOTS["grouped_bars"]["shares"]
    one, other = (
        drawn_values(figures.grouped_bars(**{**PLOTS["grouped_bars"], "shares": shares + more})) for more in (0, 0.25)
    )
    assert (other["value"] - one["value"]).to_numpy() == pytest.approx(0.25)


def test_bars_are_named_by_their_row_and_series():
    shares = pd.DataFrame({"2019": [1.5, 2.5], "2020": [3.5, 4.5]}, ["Shanghai", "Jiangsu"])
    table = drawn_values(figures.grouped_bars(shares, "x")).set_index(["label", "series"])["value"]
    assert table[("Jiangsu", "2020")] == 4.5 and table[("Shanghai", "2019")] == 1.5


def test_intervals_carry_the_name_of_their_series_and_row():
    rows = pd.DataFrame({"estimate": [0.5], "lower": [0.25], "upper": [0.75]}, ["contiguity"])
    table = drawn_values(figures.coefficient_comparison({"GDP": {"ML": rows, "IV": rows + 1}}, "x"))
    lines = table[(table["mark"] == "line") & (table["series"] == "IV")]
    assert lines[["x", "x_end", "label", "panel"]].to_numpy().tolist() == [[1.25, 1.75, "contiguity", "GDP"]]


def test_a_map_gives_the_figures_by_name_of_the_unit_and_only_those_on_it():
    values = pd.Series({310000: 3.5, 320000: 1.5, 110000: 2.5})
    table = drawn_values(maps.china_map(values)).set_index("name")["value"]
    assert table["Shanghai"] == 3.5 and len(table) == 3


def test_cells_give_the_figure_and_not_its_shade():
    frame = pd.DataFrame({"software": [9.0, 0.1]}, ["Beijing", "Tianjin"])
    table = drawn_values(figures.quotient_heatmap(frame))
    assert table.set_index("label")["value"].to_dict() == {"Beijing": 9.0, "Tianjin": 0.1}


def test_lines_that_part_cells_are_no_figures():
    coverage = pd.DataFrame({"2019": [10.0, 20.0], "2020": [30.0, 40.0]}, ["gdp", "population"])
    assert set(drawn_values(figures.coverage_heatmap(coverage))["mark"]) == {"cell"}


def test_a_simultaneous_band_is_no_interval():
    rows = pd.DataFrame({"estimate": 0.5, "lower": 0.25, "upper": 0.75, "band_lower": 0.0, "band_upper": 1.0}, [-1, 1])
    table = drawn_values(figures.event_study_plot({"A": rows}, "y")).query("series == 'A'")
    ends = table.groupby("mark")[["y", "y_end"]].agg(lambda values: sorted(set(values)))
    assert ends.loc[["line", "band"]].to_numpy().tolist() == [[[0.25], [0.75]], [[0.0], [1.0]]]


def test_a_line_of_reference_has_no_series_but_its_own_and_gives_none():
    figure, axes = plt.subplots()
    axes.plot([1, 2], [3, 4], color="red", label="A")
    axes.axhline(0, color="red")
    axes.axvline(1, color="blue", label="critical")
    axes.plot([5], [6], "o", color="blue")
    table = drawn_values(figure)
    assert table.loc[table["mark"] == "reference", "series"].fillna("").tolist() == ["", "critical"]
    assert table.loc[table["mark"] == "point", "series"].isna().all()
    assert table.loc[table["mark"] == "line", "series"].tolist() == ["A", "A"]


def test_each_point_is_named_by_its_own_colour():
    figure, axes = plt.subplots()
    axes.plot([0], [0], "o", color="red", label="A")
    axes.plot([0], [0], "o", color="blue", label="B")
    axes.scatter([1, 2, 3], [1, 2, 3], c=["red", "blue", "green"])
    axes.scatter([4, 5], [4, 5], c=[0.1, 0.9])
    table = drawn_values(figure).query("x > 0")
    assert table["series"].fillna("").tolist() == ["A", "B", "", "", ""]


def test_points_of_many_colours_give_their_name_to_no_other_mark():
    figure, axes = plt.subplots()
    axes.scatter([1, 2], [1, 2], c=["red", "blue"], label="A")
    axes.plot([3], [3], "o", color="red")
    assert drawn_values(figure).set_index("x")["series"].fillna("").to_dict() == {1: "A", 2: "A", 3: ""}
