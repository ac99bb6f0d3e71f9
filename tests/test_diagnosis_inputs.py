"""Every kind of frame and argument thrown at every public function: the right value, or an error that says what."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from scipy.sparse import csr_array

import clusterlib.diagnosis as diagnosis
from clusterlib.diagnosis import indicators
from clusterlib.errors import ClusterlibError

UNITS, YEARS = 24, 8
INDEX = pd.MultiIndex.from_product([range(UNITS), range(2013, 2013 + YEARS)], names=["adcode", "year"])
RING = sum(np.roll(np.eye(UNITS), step, axis=1) for step in (-2, -1, 1, 2)) / 4
GRAPH = Graph.from_sparse(csr_array(RING), ids=range(UNITS))
PROVINCE = pd.Series(np.arange(UNITS) // 8, index=range(UNITS))
DISTANCE = pd.DataFrame(np.abs(np.subtract.outer(range(UNITS), range(UNITS))) * 60.0, range(UNITS), range(UNITS))


def _panel() -> pd.DataFrame:
    random = np.random.default_rng(1)
    frame = pd.DataFrame(random.uniform(1, 9, (len(INDEX), 4)), INDEX, ["a", "b", "c", "d"])
    # Whole numbers, which every kind of number can hold.
    return frame.assign(whole=random.integers(1, 90, len(INDEX)).astype(float))


PANEL = _panel()

# The arguments of a call that works, by function; the first is the frame if there is one.
CALLS = {
    "border_spillovers": {
        "panel": PANEL, "y": "a", "x": ["whole"], "w": GRAPH, "jurisdiction": PROVINCE, "units": None,
        "shocks": True,
    },
    "border_estimates": {
        "panel": PANEL, "y": "a", "x": ["whole"], "w": GRAPH, "jurisdiction": PROVINCE, "areas": {"all": range(UNITS)},
    },
    "pair_correlations": {
        "panel": PANEL, "y": "whole", "w": GRAPH, "jurisdiction": PROVINCE, "units": None, "distance": DISTANCE,
        "classes": (100, 200, 600), "permutations": 9, "seed": 0, "level": 0.95,
    },
    "load_growth_panel": {"years": (2010, 2012), "outliers": 5.0, "outcome": "gdp", "without": (2011,)},
    "region_cities": {"region": "yrd", "province": PROVINCE},
}  # fmt: skip
ODD = {
    "none": None,
    "mapping": {"x": 1},
    "text": "no such thing",
    "date": pd.Timestamp("2020-01-01"),
    "series": pd.Series([1.5, 2.5]),
    "frame": pd.DataFrame({"x": [1.0]}),
    "negative": -1.5,
    "truth": True,
    "list of nothing": [None],
    "array": np.ones((2, 3)),
    "function": len,
}
# What is as good as what stands in the call, or one of the things that the argument may be.
FITS = {
    ("border_spillovers", "units"): {"none"},
    ("border_spillovers", "shocks"): {"truth"},
    ("pair_correlations", "units"): {"none"},
    **{("load_growth_panel", name): {"none"} for name in ("years", "outliers", "without")},
    ("pair_correlations", "distance"): {"none"},
    ("pair_correlations", "classes"): {"series"},
    # Labels of no city: there are none of the region.
    ("region_cities", "province"): {"series"},
}
EVERY = {"seed": 0, "level": 0.95}


def run(function: str, arguments: dict):
    return getattr(diagnosis, function)(**arguments)


def found(result) -> list[pd.DataFrame]:
    """The numbers of a result, rows sorted and without the names of their levels."""
    parts = result if isinstance(result, tuple) else [result]
    tables = [part if isinstance(part, pd.DataFrame) else part.table for part in parts]
    numbers = [table.sort_index().select_dtypes("number") for table in tables]
    return [table.rename_axis(index=[None] * table.index.nlevels) for table in numbers]


def odd_arguments() -> list:
    cases = []
    for function, arguments in CALLS.items():
        extra = {} if "draws" not in arguments else EVERY
        for name in {**arguments, **extra}:
            for kind in ODD:
                if kind not in FITS.get((function, name), ()):
                    cases.append(pytest.param(function, name, kind, id=f"{function}-{name}-{kind}"))
    return cases


@pytest.mark.parametrize(("function", "name", "kind"), odd_arguments())
def test_an_argument_of_another_kind_is_refused(function, name, kind):
    with pytest.raises(ClusterlibError):
        run(function, CALLS[function] | {name: ODD[kind]})


LABELS = [INDEX.get_level_values(level) for level in (0, 1)]
ROW = np.arange(len(INDEX))
FRAMES = [function for function, arguments in CALLS.items() if {"panel", "links"} & set(arguments)]
ALIKE = {
    "shuffled rows": lambda frame: frame.sample(frac=1, random_state=3),
    "nullable": lambda frame: frame.convert_dtypes(),
    "arrow": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "no names": lambda frame: frame.rename_axis([None, None]),
    "more columns": lambda frame: frame.assign(remark="text"),
    "whole numbers": lambda frame: frame.astype({name: int for name in frame if (frame[name] % 1 == 0).all()}),
}
SPOILT = {
    "other order of levels": lambda frame: frame.swaplevel().sort_index(),
    "flat": lambda frame: frame.reset_index(),
    "units only": lambda frame: frame.xs(2013, level=1),
    "three levels": lambda frame: frame.assign(more=1).set_index("more", append=True),
    "missing unit": lambda frame: frame.set_axis([LABELS[0].where(ROW != 9), LABELS[1]]),
    "missing year": lambda frame: frame.set_axis([LABELS[0], LABELS[1].where(ROW != 9)]),
    "doubled row": lambda frame: pd.concat([frame, frame.iloc[[4]]]),
    "doubled column": lambda frame: pd.concat([frame, frame.iloc[:, [0]], frame.iloc[:, [-1]]], axis=1),
    "missing value": lambda frame: frame.mask(np.eye(len(frame), frame.shape[1]) + np.ones(frame.shape[1]) > 1),
    "infinite value": lambda frame: frame.replace(frame.iloc[0, 0], np.inf).replace(frame.iloc[0, -1], np.inf),
    "text": lambda frame: frame.astype(str),
    "dates": lambda frame: frame.apply(pd.to_datetime),
    "complex": lambda frame: frame.astype(complex),
    "no rows": lambda frame: frame.iloc[:0],
    "no columns": lambda frame: frame.iloc[:, :0],
    "series": lambda frame: frame.iloc[:, 0],
    "array": lambda frame: frame.to_numpy(),
}


@pytest.mark.parametrize("kind", list(ALIKE))
@pytest.mark.parametrize("function", FRAMES)
def test_a_frame_of_another_make_gives_the_same_numbers(function, kind):
    arguments = CALLS[function]
    expected = found(run(function, arguments))
    got = found(run(function, arguments | {"panel": ALIKE[kind](arguments["panel"])}))
    for one, other in zip(expected, got, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)
        assert one.index.equals(other.index)


@pytest.mark.parametrize("kind", SPOILT)
@pytest.mark.parametrize("function", FRAMES)
def test_a_frame_that_cannot_be_right_is_refused(function, kind):
    arguments = CALLS[function]
    with pytest.raises(ClusterlibError):
        run(function, arguments | {"panel": SPOILT[kind](arguments["panel"])})


@pytest.mark.parametrize("kind", [*SPOILT, *ODD])
def test_the_table_of_industries_is_not_made_from_other_frames(kind):
    with pytest.raises(ClusterlibError):
        indicators.industry_table(SPOILT[kind](PANEL) if kind in SPOILT else ODD[kind])


@pytest.mark.parametrize(
    "years", [{"x": 1}, "no such thing", pd.Timestamp("2020-01-01"), [None], len, 1999, "2000:2005"]
)
def test_no_provinces_are_loaded_for_other_years(years):
    with pytest.raises(ClusterlibError):
        indicators.load_province_panel(years)
