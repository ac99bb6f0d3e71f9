"""What every map does with data and arguments of other kinds: draw what is right, or refuse it by name."""

from __future__ import annotations

import inspect

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from clusterlib import maps
from clusterlib.core.places import ALBERS
from clusterlib.data import load_boundaries, load_panel
from clusterlib.errors import ClusterlibError, ClusterlibWarning, InvalidInputError
from clusterlib.maps.base import NO_DATA, shade_classes
from clusterlib.spatial import deviational_ellipse, local_moran

pytestmark = pytest.mark.usefixtures("figure_style")

GDP = load_panel("province", "gdp", years=2020)["gdp"].droplevel("year")
CITIES = load_panel("city", "gdp", "yrd", 2019)["gdp"].droplevel("year")
EDGES = pd.DataFrame({"origin": [310000, 320500], "destination": [320500, 330100], "strength": [9.0, 4.0]})
LINE = np.diag(np.ones(30), 1) + np.diag(np.ones(30), -1)
YEARLY = pd.concat(dict.fromkeys((2019, 2020), GDP), names=["year"]).swaplevel()
PROVINCES = load_boundaries("province").to_crs(ALBERS)
MAPS = {
    "china_map": {
        "values": GDP, "unit": "u", "points_label": "p", "marked_label": "m", "source": "s", "classes": 5,
        "points": pd.DataFrame({"total": [2, 1], "marked": [1, 0]}, [310000, 440300]), "digits": 1, "regions": True,
    },
    "region_map": {
        "region": "yrd", "values": CITIES, "unit": "u", "source": "s", "classes": 5, "digits": 1,
        "names": True,
    },
    "lisa_map": {
        "local": local_moran(GDP, LINE, permutations=99), "source": "s", "level": "province",
        "region": None,
    },
    "network_map": {
        "edges": EDGES, "region": "yrd", "source": "s", "whole": False, "top": 9, "hubs": 2,
    },
    "ellipse_map": {
        "ellipse": deviational_ellipse(PROVINCES, YEARLY), "source": "s", "periods": [2020],
        "region": "yrd",
    },
}  # fmt: skip
KINDS = {
    "None": None, "number": 3, "fraction": 2.5, "truth": True, "name": "x", "dict": {"a": 1}, "list": ["a"],
    "array": np.array([1.0]), "Series": pd.Series([1.0]), "text": pd.Series(["a"], [310000]),
    "date": pd.Timestamp("2020"), "panel": YEARLY, "frame": pd.DataFrame({"a": ["b"]}), "object": object(),
}  # fmt: skip
# What may be left out, or stand for something else of its kind.
TAKEN = {
    "china_map": {("values", "None"), ("points", "None"), ("classes", "number"), ("digits", "number")},
    "region_map": {("classes", "number"), ("digits", "number")},
    "lisa_map": {("region", "None")},
    "network_map": {("top", "number"), ("hubs", "number")},
    "ellipse_map": {("periods", "None"), ("region", "None")},
}


def labels(values: pd.Series, k: int = 5) -> list[str]:
    return [handle.get_label() for handle in shade_classes(values, values.index, k, 1).handles]


def shown(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def test_every_map_is_looked_at():
    drawn = {name for name in dir(maps) if inspect.isfunction(getattr(maps, name))}
    assert drawn - set(MAPS) == {"city_points", "scale_bar"}


@pytest.mark.parametrize("name", MAPS)
def test_an_argument_of_another_kind_is_refused(name):
    for argument, given in MAPS[name].items():
        if argument in ("unit", "source", "points_label", "marked_label", "regions", "names", "whole"):
            continue
        for kind, value in KINDS.items():
            if (argument, kind) in TAKEN[name]:
                continue
            try:
                getattr(maps, name)(**{**MAPS[name], argument: value})
            except ClusterlibError:
                continue
            except Exception as error:
                raise AssertionError(f"{argument} = {kind}: {type(error).__name__}: {error}") from error
            raise AssertionError(f"{argument} = {kind} in place of {type(given).__name__} was taken")
    plt.close("all")


@pytest.mark.parametrize("worst", [np.inf, -np.inf])
def test_an_infinite_figure_has_no_class_and_does_not_change_those_of_others(worst):
    want = labels(GDP.drop(GDP.idxmin()))
    least = GDP.idxmin()
    with pytest.warns(ClusterlibWarning, match=f"1 infinite figure.*the first at {least}: shown as having none"):
        shading = shade_classes(GDP.where(GDP.min() < GDP, worst), GDP.index, 5, 1)
    assert [handle.get_label() for handle in shading.handles] == [*want, "No data"]
    assert shading.colours[GDP.index.get_loc(least)] == NO_DATA
    assert shading.colours.count(NO_DATA) == 1


@pytest.mark.parametrize("draw", ["china_map", "region_map"])
def test_an_infinite_figure_is_no_data_on_every_map_of_figures(draw):
    values = MAPS[draw]["values"]
    with pytest.warns(ClusterlibWarning, match=f"the first at {values.index[1]}"):
        figure = getattr(maps, draw)(**{**MAPS[draw], "values": values.where(values != values.iloc[1], np.inf)})
    assert "No data" in shown(figure)
    filled = [mpl.colors.to_hex(colour) for colour in figure.axes[0].collections[0].get_facecolor()]
    units = load_boundaries("province" if draw == "china_map" else "city", None if draw == "china_map" else "yrd").index
    assert filled[list(units).index(values.index[1])] == NO_DATA


def test_an_infinite_or_negative_strength_or_count_is_not_drawn():
    with pytest.warns(ClusterlibWarning, match="edges, strength: 1 infinite"):
        figure = maps.network_map(**{**MAPS["network_map"], "edges": EDGES.assign(strength=[np.inf, 4.0])})
    assert "the strongest 1 of 1" in shown(figure)
    with pytest.raises(InvalidInputError, match="not negative"):
        maps.network_map(**{**MAPS["network_map"], "edges": EDGES.assign(strength=[-1.0, 4.0])})
    for counts in ([-1, 2], [np.nan, 2]):
        with pytest.raises(InvalidInputError, match="a count is missing or negative"):
            maps.china_map(points=pd.DataFrame({"total": counts, "marked": 0}, [310000, 440300]))


def test_points_that_are_no_cities_are_named():
    counts = pd.DataFrame({"total": [1, 1], "marked": [0, 0]}, index=[310000, 999999])
    with pytest.raises(InvalidInputError, match="points: 999999: expected cities by adcode, each once"):
        maps.china_map(points=counts)
    with pytest.raises(InvalidInputError, match="points: 310000: expected cities"):
        maps.city_points(counts.set_axis([310000, 310000]))


def test_the_same_figure_everywhere_is_one_class_though_it_be_rounded():
    constant = pd.Series(0.3, GDP.index)
    assert labels(constant) == ["0.3 – 0.3"]
    constant.iloc[::2] = 0.1 + 0.2
    assert labels(constant) == ["0.3 – 0.3"]


@pytest.mark.parametrize("dtype", ["Float64", "double[pyarrow]", object])
def test_figures_of_other_kinds_are_shaded_alike(dtype):
    assert shade_classes(GDP.astype(dtype), GDP.index, 5, 1).colours == shade_classes(GDP, GDP.index, 5, 1).colours


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (GDP.astype(str) + "x", "expected numbers"),
        (YEARLY, r"choose a year first, as in \.xs"),
        (pd.concat([GDP, GDP.iloc[:1]]), "110000 has more than one"),
        (GDP.to_dict(), "expected a Series by the units' adcodes, got a dict"),
        (GDP * np.inf, "there is no figure to draw"),
    ],
)
@pytest.mark.filterwarnings("ignore:values")
def test_figures_that_cannot_be_shaded_are_refused(values, words):
    with pytest.raises(InvalidInputError, match=words):
        maps.china_map(values)


@pytest.mark.parametrize("name", ["长三角", "YRD", "Yangtze River Delta"])
def test_a_map_of_a_region_is_known_by_any_of_its_names(name):
    figure = maps.network_map(**{**MAPS["network_map"], "region": name})
    assert "within YRD (2)" in shown(figure)
