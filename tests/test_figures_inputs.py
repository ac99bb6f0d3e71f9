"""What every plot does with data and arguments of other kinds: draw what is right, or refuse it by name."""

from __future__ import annotations

import copy
import inspect
import warnings
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from clusterlib import figures
from clusterlib.errors import ClusterlibError, ClusterlibWarning, InvalidInputError, UnknownNameError

pytestmark = pytest.mark.usefixtures("figure_style")

YEARS = [2020, 2021, 2022]
# Labels are one or two letters, so that any word in a picture is the plot's own.
PLACES = ["P1", "P2", "P3"]
LABELS = {"bth": "B", "yrd": "Y"}
INTERVALS = pd.DataFrame(
    {"estimate": [1.2, 0.8, 0.9], "lower": [0.9, 0.5, 0.8], "upper": [1.6, 1.1, 1.0]}, index=PLACES
)
BY_YEAR = INTERVALS.set_axis(YEARS)
GRID = pd.DataFrame([[0.1, 0.5, 0.9], [0.2, 0.6, 0.7], [0.3, 0.4, 0.8]], index=PLACES, columns=YEARS)


def wide(*kinds: str) -> pd.DataFrame:
    return pd.DataFrame({f"{k}{end}": INTERVALS["estimate"] + d for k in kinds for end, d in
                         (("", 0.0), ("_lower", -0.2), ("_upper", 0.2))})  # fmt: skip


def by_region(*columns: str, second: list) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([list(LABELS), second], names=["region", "second"])
    return pd.DataFrame({c: 0.5 + 0.1 * i + 0.05 * np.arange(len(index)) for i, c in enumerate(columns)}, index=index)


SEVERITY = pd.DataFrame({"s": [60.0, 30.0], "t": [20.0, 40.0]}, index=list(LABELS))
PROFILE = pd.DataFrame(
    {
        "stage": "first",
        "threshold": [0.1, 0.2, 0.3],
        "likelihood_ratio": [9.0, 0.0, 8.0],
        "in_set": [False, True, False],
    }
)
MARKOV = SimpleNamespace(k=2, matrix=lambda name: pd.DataFrame([[0.9, 0.1], [np.nan, np.nan]], [1, 2], [1, 2]))
CURVE = INTERVALS.reset_index(drop=True).assign(index=["a", "b", "b"], p_value=[0.01, 0.2, 0.3])
PLOTS = {
    "border_plot": {"table": wide("within", "across"), "xlabel": "x"},
    "centre_path": {
        "paths": {"GDP": pd.DataFrame({"longitude": [105.0, 106.0], "latitude": [30.0, 31.0]}, index=YEARS[:2])},
        "every": 1,
    },
    "club_paths": {
        "transitions": GRID.set_axis(list("abc")), "membership": pd.Series([1, 1, 0], list("abc")),
        "log": False,
    },
    "coefficient_comparison": {"panels": {"GDP": {"ML": INTERVALS}}, "xlabel": "x"},
    "coverage_heatmap": {"coverage": 100 * GRID},
    "curve_comparison": {
        "panels": {"h": {"a": pd.Series([0.3, -0.2])}}, "ylabel": "y",
        "bands": {"h": pd.DataFrame({"lower": [-1.0, -0.5], "upper": [0.5, 1.0]})},
    },
    "decomposition_bars": {
        "tables": {"h": pd.DataFrame(
            {name: 0.1 * (i + 1) for part in ("within", "between", "transvariation")
             for i, name in enumerate((part, f"{part}_contribution"))}, index=YEARS)},
    },
    "decomposition_plot": {
        "comparisons": pd.DataFrame({"kind": ["a", "b"], "estimate": [0.1, 0.2], "weight": [0.4, 0.6]}),
        "estimate": 0.2, "xlabel": "x", "ylabel": "y",
    },
    "density_ridges": {"densities": GRID.set_axis([0.0, 1.0, 2.0]), "xlabel": "x", "overlap": 1.6},
    "distance_plot": {
        "by_distance": pd.DataFrame(
            {"within": [0.5, 0.4], "pairs_within": [9, 8], "across": [0.1, np.nan], "pairs_across": [5, 0]}, [100, 200]
        ),
        "ylabel": "y",
    },
    "event_study_plot": {"tables": {"a": BY_YEAR}, "ylabel": "y"},
    "grade_heatmap": {"degree": GRID, "highlight": PLACES[:1]},
    "grouped_bars": {"shares": GRID, "xlabel": "x"},
    "growth_scatter": {
        "points": pd.DataFrame({"initial": [1.0, 2], "growth": [5.0, 4], "group": list(LABELS), "name": ["a", ""]}),
        "marks": figures.REGION_MARKS, "labels": LABELS, "line": (6.0, -1.0),
    },
    "impacts_plot": {"panels": {"GDP": wide("direct", "indirect", "total")}, "xlabel": "x"},
    "interval_dots": {"table": INTERVALS, "xlabel": "x", "reference": 1.0},
    "interval_lines": {
        "series": {"B": BY_YEAR}, "marks": {"B": figures.REGION_MARKS["bth"]}, "ylabel": "y",
        "dodge": 0.1,
    },
    "moran_plot": {
        "scatter": SimpleNamespace(table=pd.DataFrame({"z": [-1.0, 1.0], "lag": [-0.5, 0.5]}, PLACES[:2]), slope=0.5),
        "xlabel": "x", "ylabel": "y", "highlight": {PLACES[0]: "P1"}, "highlight_label": "h",
    },
    "placebo_plot": {"draws": {"h": pd.Series(np.linspace(-1, 1, 50))}, "estimates": {"h": 0.5}, "p": {"h": 0.1}},
    "quotient_heatmap": {"quotients": GRID, "highlight": PLACES[:1]},
    "rank_ranges": {"ranks": GRID.rank(), "highlight": PLACES[:1]},
    "rank_size_plot": {
        "tables": {"bth": pd.DataFrame({"size": [9.0, 3.0], "rank": [1.0, 2.0], "fitted": [8.0, 4.0]})},
        "labels": LABELS, "xlabel": "x",
    },
    "regimes_plot": {
        "table": pd.concat(dict.fromkeys(("alone", "present", "joint"), INTERVALS)).swaplevel(),
        "xlabel": "x", "impulse": 1.0,
    },
    "region_intervals": {
        "table": by_region("lower", "quotient", "upper", second=["s", "t"]), "labels": LABELS,
        "xlabel": "x",
    },
    "region_scatter": {
        "points": pd.DataFrame({"x": [1.0, 2], "y": [0.5, 0.1], "region": list(LABELS)}, PLACES[:2]), "labels": LABELS,
        "xlabel": "x", "ylabel": "y",
    },
    "specification_curve_plot": {
        "table": CURVE, "choices": {"index": {"a": "A", "b": "B"}}, "ylabel": "y", "main": {"index": "a"},
        "alpha": 0.05, "p_value": "p_value",
    },
    "stacked_bars": {"parts": GRID, "xlabel": "x", "highlight": PLACES[:1]},
    "synthetic_control_plot": {
        "path": pd.DataFrame({"observed": [1.0, 2, 4], "synthetic": [1.0, 2, 3], "gap": [0.0, 0, 1]}, YEARS),
        "gaps": GRID.set_axis(YEARS), "start": 2021, "ylabel": "y", "labels": ("a", "b"),
    },
    "threshold_plot": {
        "results": {"GDP": SimpleNamespace(profile=PROFILE, critical_value=7.35)}, "xlabel": "x",
    },
    "transition_heatmaps": {"markov": MARKOV},
    "trend_lines": {
        "series": GRID.set_axis(YEARS).set_axis(["bth", "yrd", "gba"], axis=1), "marks": figures.REGION_MARKS,
        "labels": dict.fromkeys(figures.REGION_MARKS, "l"), "ylabel": "y",
    },
}  # fmt: skip
KINDS = {
    "None": None, "number": 3, "fraction": 2.5, "truth": True, "name": "x", "dict": {"a": 1}, "empty dict": {},
    "list": ["a"], "array": np.array([1.0]), "Series": pd.Series([1.0]), "text": pd.Series(["a"]),
    "date": pd.Timestamp("2020"), "empty": pd.DataFrame(), "frame": pd.DataFrame({"a": ["b"]}), "object": object(),
}  # fmt: skip


def drawn(name: str, arguments: dict, draw: bool = True) -> bytes:
    """The pixels of a plot, drawn small and without solving its layout, which takes most of the time."""
    figure = getattr(figures, name)(**arguments)
    assert isinstance(figure, Figure)
    if not draw:
        return b""
    figure.set_layout_engine("none")
    figure.set_dpi(40)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return bytes(canvas.buffer_rgba())


def tables_of(value) -> list[tuple[object, pd.DataFrame]]:
    """The frames in an argument, each with its holder and key."""
    if isinstance(value, dict):
        found = []
        for key, inner in value.items():
            found += [(value, key)] if isinstance(inner, (pd.DataFrame, pd.Series)) else tables_of(inner)
        return found
    return []


def changed(name: str, change) -> dict:
    """The arguments of a plot with the first frame in them changed."""
    arguments = copy.copy(PLOTS[name])
    first = next(iter(arguments))
    if isinstance(arguments[first], pd.DataFrame):
        return {**arguments, first: change(arguments[first])}
    arguments[first] = copy.deepcopy(arguments[first])
    holder, key = tables_of(arguments[first])[0]
    holder[key] = change(holder[key])
    return arguments


FRAMES = [name for name in PLOTS if isinstance(next(iter(PLOTS[name].values())), pd.DataFrame) or
          tables_of(next(iter(PLOTS[name].values())))]  # fmt: skip


# They set a style, encode, or write what they are given and no word of their own.
NO_PLOTS = {
    "add_source", "draw_png", "draw_svg", "drawn_values", "group_marks", "label_points", "name_points", "series_marks",
    "use_style",
}  # fmt: skip


def test_every_plot_is_looked_at():
    plots = {name for name in dir(figures) if inspect.isfunction(getattr(figures, name))}
    assert plots - set(PLOTS) == NO_PLOTS


@pytest.mark.parametrize("name", PLOTS)
def test_each_plot_draws_what_it_is_given_without_a_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(name, PLOTS[name])


@pytest.mark.parametrize("name", PLOTS)
def test_an_argument_of_another_kind_is_drawn_or_refused(name):
    for argument, given in PLOTS[name].items():
        for kind, value in KINDS.items():
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error", RuntimeWarning)
                    drawn(name, {**PLOTS[name], argument: value}, draw=not isinstance(given, str))
            except ClusterlibError:
                pass
            except Exception as error:
                raise AssertionError(f"{argument} = {kind}: {type(error).__name__}: {error}") from error
            plt.close("all")


def first_number(frame: pd.DataFrame | pd.Series, value: float) -> pd.DataFrame | pd.Series:
    """The frame with this value in its first cell of a number."""
    if isinstance(frame, pd.Series):
        return pd.concat([pd.Series([value]), frame.iloc[1:]]).set_axis(frame.index)
    place = next(i for i, dtype in enumerate(frame.dtypes) if pd.api.types.is_float_dtype(dtype))
    frame = frame.copy()
    frame.iloc[0, place] = value
    return frame


@pytest.mark.parametrize("name", FRAMES)
def test_an_infinite_figure_is_shown_as_none_and_named(name):
    if name == "specification_curve_plot":
        with pytest.warns(ClusterlibWarning, match="infinite"), pytest.raises(InvalidInputError, match="no estimate"):
            drawn(name, changed(name, lambda frame: first_number(frame, np.inf)))
        return
    with pytest.warns(ClusterlibWarning, match=r"1 infinite figure\(s\), the first at .*: shown as having none"):
        infinite = drawn(name, changed(name, lambda frame: first_number(frame, np.inf)))
    assert infinite == drawn(name, changed(name, lambda frame: first_number(frame, np.nan)))


@pytest.mark.parametrize("name", FRAMES)
def test_nothing_to_draw_is_refused(name):
    def blank(frame):
        numbers = frame.select_dtypes("number").columns if isinstance(frame, pd.DataFrame) else None
        return frame * np.nan if numbers is None else frame.assign(**{}).mask(pd.DataFrame(
            {c: c in numbers for c in frame.columns}, index=frame.index))  # fmt: skip

    for change in (blank, lambda frame: frame.iloc[:0]):
        with pytest.raises(InvalidInputError):
            drawn(name, changed(name, change))


@pytest.mark.parametrize("name", FRAMES)
def test_the_same_figure_everywhere_is_drawn(name):
    def level(frame):
        if isinstance(frame, pd.Series):
            return frame * 0
        return frame.assign(**{c: 0.5 for c in frame.select_dtypes("float").columns if isinstance(c, str)})

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(name, changed(name, level))


@pytest.mark.parametrize("kind", ["Float64", "double[pyarrow]", object])
@pytest.mark.parametrize("name", FRAMES)
def test_numbers_of_other_kinds_are_drawn_alike(name, kind):
    def other(frame):
        if isinstance(frame, pd.Series):
            return frame.astype(kind)
        return frame.astype(dict.fromkeys(frame.select_dtypes("float").columns, kind))

    assert drawn(name, changed(name, other)) == drawn(name, PLOTS[name])


def test_rows_are_highlighted_by_name_and_not_by_parts_of_one():
    figure = figures.stacked_bars(GRID.set_axis(["京", "北京", "上海"]), "x", highlight="北京")
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["上海", "▶ 北京", "京"]


def test_rows_of_one_name_stand_apart():
    figure = figures.stacked_bars(GRID.set_axis(["京", "京", "沪"]), "x")
    assert len({bar.get_y() for bar in figure.axes[0].patches}) == 3


def test_what_is_missing_is_written_as_a_dash():
    frame = GRID.astype(float).mask(GRID == 0.1)
    for plot in (figures.grade_heatmap, figures.quotient_heatmap):
        assert plot(frame).axes[0].texts[0].get_text() == "–"


def test_names_without_a_mark_or_a_label_are_asked_back():
    arguments = PLOTS["trend_lines"]
    with pytest.raises(UnknownNameError, match="unknown mark 'yrdd'; did you mean 'yrd'"):
        drawn("trend_lines", {**arguments, "series": arguments["series"].rename(columns={"yrd": "yrdd"})})
    with pytest.raises(UnknownNameError, match="unknown label 'gba'"):
        drawn("trend_lines", {**arguments, "labels": LABELS})
    with pytest.raises(UnknownNameError, match="unknown column of table 'lower'"):
        figures.interval_dots(INTERVALS.rename(columns={"lower": "low"}), "x", 1.0)
    with pytest.raises(UnknownNameError, match="unknown region 'xyz'"):
        drawn("region_scatter", {**PLOTS["region_scatter"], "labels": {"xyz": "x", **LABELS}})
    with pytest.raises(InvalidInputError, match="expected an index of numbers, such as years"):
        drawn("event_study_plot", {**PLOTS["event_study_plot"], "tables": {"one": INTERVALS}})
    with pytest.raises(InvalidInputError, match="has more than one row"):
        drawn(
            "coefficient_comparison",
            {**PLOTS["coefficient_comparison"], "panels": {"": {"": pd.concat([INTERVALS] * 2)}}},
        )
