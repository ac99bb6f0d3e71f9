"""Every kind of frame and argument at every measure of inequality: the right value, or a refusal that says why."""

from __future__ import annotations

import datetime
from functools import cache

import numpy as np
import pandas as pd
import pytest

from clusterlib import inequality
from clusterlib.errors import ClusterlibError

UNITS, YEARS = range(8), range(2010, 2020)
INDEX = pd.MultiIndex.from_product([UNITS, YEARS], names=["adcode", "year"])
UNIT, YEAR = INDEX.get_level_values(0), INDEX.get_level_values(1)
_RANDOM = np.random.default_rng(0)
DATA = pd.DataFrame(
    {"y": np.exp(_RANDOM.normal(3, 0.5, 80)), "z": _RANDOM.normal(size=80), "p": _RANDOM.integers(1, 9, 80)}, INDEX
).assign(g=np.where(UNIT < 4, "east", "west"))
VALUES, GROUPS, WEIGHTS = (DATA[name].xs(2010, level="year") for name in ("y", "g", "p"))
RING = pd.DataFrame(
    (np.roll(np.eye(8), 1, 1) + np.roll(np.eye(8), -1, 1)) / 2,
    index=pd.Index(UNITS, name="adcode"),
    columns=list(UNITS),
)

PANELS = {
    "dagum_gini_by": lambda data, value="y": inequality.dagum_gini_by(data, value, "g", "p").table.to_numpy(),
    "sigma_convergence": lambda data, value="y": inequality.sigma_convergence(data, value).table.to_numpy(),
    "beta_convergence": lambda data, value="y": inequality.beta_convergence(data, value).table.to_numpy(),
    "beta_convergence_panel": lambda data, value="y": inequality.beta_convergence(
        data, value, "z", method="panel"
    ).table.to_numpy(),
    "beta_convergence_space": lambda data, value="y": inequality.beta_convergence(data, value, w=RING).table.to_numpy(),
    "log_t_test": lambda data, value="y": inequality.log_t_test(data, value).table.to_numpy(),
    "club_convergence": lambda data, value="y": inequality.club_convergence(data, value).membership.to_numpy(),
    "kernel_density": lambda data, value="y": inequality.kernel_density(data, value).by_period.to_numpy(),
}


def reindexed(units, years) -> pd.DataFrame:
    return DATA.set_axis(pd.MultiIndex.from_arrays([units, years], names=["adcode", "year"]))


def changed(**columns) -> pd.DataFrame:
    """The data with another value for unit 3 in 2010, which every measure looks at."""
    data = DATA.copy()
    for name, value in columns.items():
        data.loc[(3, 2010), name] = value
    return data


# Frames of which the answer is that of the plain one.
SAME = {
    "shuffled": DATA.sample(frac=1, random_state=1),
    "Float64": DATA.astype({"y": "Float64", "z": "Float64", "p": "Int64"}),
    "arrow": DATA.astype({"y": "double[pyarrow]", "z": "double[pyarrow]", "p": "int64[pyarrow]"}),
    "arrow index": DATA.reset_index()
    .astype({"adcode": "int64[pyarrow]", "year": "int64[pyarrow]"})
    .set_index(["adcode", "year"]),
    "groups as categories": DATA.astype({"g": "category"}),
    "other columns that stand twice": pd.concat([DATA, DATA.assign(other=1)[["other", "other"]]], axis=1),
}
ODD_FRAMES = {
    "missing unit": reindexed(UNIT.astype(float).where(np.arange(80) != 9), YEAR),
    "missing year": reindexed(UNIT, YEAR.astype(float).where(np.arange(80) != 9)),
    "year before unit": DATA.swaplevel(),
    "year before unit without names": DATA.swaplevel().rename_axis([None, None]),
    "flat": DATA.reset_index(),
    "one level": DATA.droplevel(1),
    "three levels": DATA.set_index("z", append=True, drop=False),
    "a row twice": pd.concat([DATA, DATA.iloc[:1]]),
    "a column twice": pd.concat([DATA, DATA[["y"]]], axis=1),
    "units of mixed kinds": reindexed(pd.Index([str(u) if u == 3 else u for u in UNIT], dtype=object), YEAR),
    "text": DATA.assign(y=DATA["y"].astype(str)),
    "dates": DATA.assign(y=pd.Timestamp("2020")),
    "complex": DATA.assign(y=DATA["y"] + 0j),
    "missing": changed(y=np.nan),
    "missing of a nullable kind": changed(y=np.nan).astype({"y": "Float64"}),
    "infinite": changed(y=np.inf),
    "no rows": DATA.iloc[:0],
    "None": None,
    "dict": {"y": [1.0]},
    "Series": DATA["y"],
    "array": DATA.to_numpy(),
}
# Only some measures have no answer to these.
REFUSED_BY_SOME = {
    "negative": (changed(y=-1.0), set(PANELS) - {"kernel_density"}),
    "zero": (changed(y=0.0), set(PANELS) - {"kernel_density", "dagum_gini_by"}),
    "alike": (DATA.assign(y=3.0), set(PANELS) - {"dagum_gini_by", "log_t_test", "club_convergence"}),
    "alike but for rounding": (
        DATA.assign(y=np.where(np.arange(80) % 3, 0.1 + 0.2, 0.3) * 1e3),
        set(PANELS) - {"dagum_gini_by", "log_t_test", "club_convergence"},
    ),
    "a gap": (DATA.drop((3, 2010)), set(PANELS) - {"kernel_density"}),
    "years as text": (reindexed(UNIT, YEAR.astype(str)), {name for name in PANELS if name[:4] in ("beta", "sigm")}),
    "years as dates": (
        reindexed(UNIT, pd.to_datetime(YEAR.astype(str))),
        {name for name in PANELS if name[:4] in ("beta", "sigm")},
    ),
    "one year": (DATA.xs(2010, level="year", drop_level=False), set(PANELS) - {"kernel_density", "dagum_gini_by"}),
    "one unit": (DATA.loc[[0]], set(PANELS) - {"dagum_gini_by"}),
}


@cache
def plain_figures(name: str) -> pd.DataFrame:
    return PANELS[name](DATA).astype(float)


@pytest.mark.parametrize("kind", SAME)
@pytest.mark.parametrize("name", PANELS)
def test_frames_of_other_kinds_with_the_same_figures_have_the_same_answer(name, kind):
    if (name, kind) == ("dagum_gini_by", "groups as categories"):
        assert inequality.dagum_gini_by(SAME[kind], "y", "g").by_group.index[0] == (2010, "east")
    np.testing.assert_allclose(PANELS[name](SAME[kind]).astype(float), plain_figures(name), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", ODD_FRAMES)
@pytest.mark.parametrize("name", PANELS)
def test_frames_that_cannot_be_measured_are_refused(name, kind):
    if name == "kernel_density" and kind in ("year before unit", "flat", "three levels"):
        # Periods are found by their name wherever they stand.
        found = inequality.kernel_density(ODD_FRAMES[kind], "y").by_period.to_numpy()
        np.testing.assert_allclose(found, PANELS[name](DATA))
        return
    with pytest.raises(ClusterlibError):
        PANELS[name](ODD_FRAMES[kind])


@pytest.mark.parametrize("kind", REFUSED_BY_SOME)
@pytest.mark.parametrize("name", PANELS)
def test_figures_without_an_answer_are_refused_and_others_taken(name, kind):
    data, refusing = REFUSED_BY_SOME[kind]
    if name in refusing:
        with pytest.raises(ClusterlibError):
            PANELS[name](data)
    else:
        assert len(PANELS[name](data))


ODD = {
    "None": None,
    "dict": {"a": 1},
    "date": datetime.date(2020, 1, 1),
    "text": "2020",
    "Series": DATA["y"],
    "frame": DATA,
    "list of numbers": [1.5],
    "negative": -1,
    "nan": np.nan,
    "infinite": np.inf,
    "true": True,
    "half": 0.5,
    "percent": 95,
}
SAMPLE = {"values": VALUES, "groups": GROUPS, "weights": WEIGHTS}


def dagum_gini(**options):
    return inequality.dagum_gini(**(SAMPLE | {"draws": 9} | options))


def dagum_gini_by(**options):
    return inequality.dagum_gini_by(DATA, **({"value": "y", "groups": "g", "draws": 9} | options))


def sigma_convergence(**options):
    return inequality.sigma_convergence(DATA, **({"value": "y"} | options))


def beta_convergence(**options):
    return inequality.beta_convergence(DATA, **({"value": "y", "method": "panel"} | options))


def log_t_test(**options):
    return inequality.log_t_test(DATA, **({"value": "y"} | options))


def club_convergence(**options):
    return inequality.club_convergence(DATA, **({"value": "y"} | options))


def kernel_density(**options):
    return inequality.kernel_density(DATA, **({"value": "y", "grid": 9} | options))


# The kinds of ODD that each argument takes; every other is refused.
ARGUMENTS = [
    (inequality.gini, {"values": VALUES}, "values", {"Series", "dict", "list of numbers"}),
    (inequality.gini, {"values": VALUES}, "weights", {"None"}),
    (inequality.gini, {"values": VALUES}, "correction", {"true"}),
    (inequality.theil, {"values": VALUES}, "groups", {"None"}),
    (inequality.theil, {"values": VALUES}, "measures", set()),
    (dagum_gini, {}, "groups", set()),
    (dagum_gini, {}, "weights", {"None"}),
    (dagum_gini, {}, "draws", {"percent"}),
    (dagum_gini, {}, "seed", {"percent"}),
    (dagum_gini, {}, "level", {"half"}),
    (dagum_gini_by, {}, "value", set()),
    (dagum_gini_by, {}, "groups", set()),
    (dagum_gini_by, {}, "weights", {"None"}),
    (dagum_gini_by, {}, "draws", {"percent"}),
    (dagum_gini_by, {}, "seed", {"percent"}),
    (dagum_gini_by, {}, "level", {"half"}),
    (sigma_convergence, {}, "value", set()),
    (sigma_convergence, {}, "log", {"true"}),
    (sigma_convergence, {}, "ddof", set()),
    (sigma_convergence, {}, "lags", {"None"}),
    (sigma_convergence, {}, "level", {"half"}),
    (beta_convergence, {}, "value", set()),
    (beta_convergence, {}, "controls", set()),
    (beta_convergence, {}, "w", {"None"}),
    (beta_convergence, {}, "method", set()),
    (beta_convergence, {}, "interval", set()),
    (beta_convergence, {}, "effects", {"None"}),
    (beta_convergence, {"method": "cross-section"}, "effects", {"None"}),
    (beta_convergence, {}, "cov", {"None"}),
    (beta_convergence, {}, "model", set()),
    (beta_convergence, {}, "bias_correction", {"None"}),
    (beta_convergence, {}, "level", {"half"}),
    (log_t_test, {}, "value", set()),
    (log_t_test, {}, "log", {"true"}),
    (log_t_test, {}, "smoothing", {"None", "half", "percent"}),
    (log_t_test, {}, "trim", {"half"}),
    (club_convergence, {}, "value", set()),
    (club_convergence, {}, "sieve", {"negative", "half", "percent"}),
    (club_convergence, {}, "last_periods", set()),
    (club_convergence, {}, "merge", {"true"}),
    (kernel_density, {}, "value", set()),
    (kernel_density, {}, "by", set()),
    (kernel_density, {}, "grid", {"list of numbers", "percent"}),
    (kernel_density, {}, "bandwidth", {"half", "percent"}),
    (kernel_density, {}, "minimum_peak", {"half"}),
]


@pytest.mark.parametrize(
    ("function", "others", "argument", "taken"),
    ARGUMENTS,
    ids=[f"{f.__name__}-{a}-{len(o)}" for f, o, a, _ in ARGUMENTS],
)
def test_arguments_of_other_kinds_are_refused(function, others, argument, taken):
    for kind, value in ODD.items():
        if kind in taken:
            function(**others | {argument: value})
        else:
            with pytest.raises(ClusterlibError):
                function(**others | {argument: value})
                pytest.fail(f"{argument}={kind} was taken")


KINDS = {
    "list": list,
    "tuple": tuple,
    "array": np.asarray,
    "Index": pd.Index,
    "nullable": lambda s: s.astype({"y": "Float64", "p": "Int64", "g": "string"}[s.name]),
    "arrow": lambda s: s.astype({"y": "double[pyarrow]", "p": "int64[pyarrow]", "g": "string[pyarrow]"}[s.name]),
    "object": lambda s: s.astype(object),
    "reversed": lambda s: s[::-1],
    "dict": dict,
    "more units": lambda s: pd.concat([s, pd.Series([s.iloc[0]], [99])]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_samples_of_any_kind_have_the_same_indices(kind):
    made = KINDS[kind]
    groups, weights = made(GROUPS), made(WEIGHTS)
    values = VALUES if kind in ("dict", "reversed", "more units") else made(VALUES)
    assert inequality.gini(values, weights) == pytest.approx(inequality.gini(VALUES, WEIGHTS), rel=1e-12)
    found, right = (inequality.theil(*sample) for sample in ((values, groups, weights), SAMPLE.values()))
    np.testing.assert_allclose(found.table, right.table, rtol=1e-10)
    assert found.by_group.index.tolist() == right.by_group.index.tolist() == ["east", "west"]
    found, right = (inequality.dagum_gini(*sample) for sample in ((values, groups, weights), SAMPLE.values()))
    np.testing.assert_allclose(found.table, right.table, rtol=1e-10)


@pytest.mark.parametrize(
    "odd", [np.ones((8, 2)), np.array(1.0), {1.0, 2.0}, DATA, pd.to_timedelta(range(8)), "text", 3]
)
def test_samples_that_are_none_are_refused(odd):
    for arguments in ((odd,), (VALUES, odd)):
        with pytest.raises(ClusterlibError):
            inequality.gini(*arguments)
    for labels in (np.array(1.0), {1.0, 2.0}, DATA, [[1]] * 8, [None] * 8, None):
        with pytest.raises(ClusterlibError):
            inequality.dagum_gini(VALUES, labels)
