"""What every plot stands on: checks of what is drawn, names of rows, and panels beside each other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clusterlib.core.checks import as_float_series, as_names, place_of
from clusterlib.core.language import say
from clusterlib.errors import ClusterlibWarning, InvalidInputError, UnknownNameError
from clusterlib.figures._style import LINE_SPACING, MARKERS, SERIES_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def as_drawn(values: Any, what: str, needed: bool = True) -> pd.Series:
    """Return a Series as floats; an infinite figure becomes a missing one, and is named in a warning.

    Parameters
    ----------
    values : Series
    what : str
        What messages call it.
    needed : bool
        Whether a Series without any finite figure is refused.

    Raises
    ------
    InvalidInputError
        For something that is no Series of numbers.
    """
    if not isinstance(values, pd.Series):
        raise InvalidInputError(f"{what}: expected a Series, got a {type(values).__name__}")
    try:
        if isinstance(values.dtype, np.dtype) and values.dtype.kind in "mMc":
            raise TypeError
        floats = as_float_series(values)
    except (TypeError, ValueError):
        raise InvalidInputError(f"{what}: expected numbers, got {values.dtype}") from None
    infinite = np.isinf(floats.to_numpy())
    if infinite.any():
        warnings.warn(
            f"{what}: {infinite.sum()} infinite figure(s), the first at {place_of(floats.index[infinite.argmax()])}: "
            "shown as having none",
            ClusterlibWarning,
            stacklevel=4,
        )
        floats = floats.mask(infinite)
    if needed and floats.isna().all():
        raise InvalidInputError(f"{what}: there is no figure to draw")
    return floats


def check_table(
    frame: Any, columns: Iterable[str] | None = None, what: str = "table", text: Iterable[str] = ()
) -> pd.DataFrame:
    """Return a frame whose columns of figures are floats, without infinite ones, if there is something to draw.

    Parameters
    ----------
    frame : DataFrame
    columns : iterable of str, optional
        Those of figures, by default all.
    what : str
        What messages call it.
    text : iterable of str
        Columns that must be there beside them.

    Raises
    ------
    InvalidInputError
        For something that is no frame, a frame without rows or without any finite figure, or a column that stands
        there twice or holds no numbers.
    UnknownNameError
        For a column that is not there.
    """
    if not isinstance(frame, pd.DataFrame):
        raise InvalidInputError(f"{what}: expected a DataFrame, got a {type(frame).__name__}")
    if frame.empty:
        raise InvalidInputError(f"{what}: no rows or no columns to draw")
    columns = list(columns) if columns is not None else None
    for name in [*(columns or ()), *text]:
        if name not in frame.columns:
            raise UnknownNameError(f"column of {what}", name, frame.columns)
        if (frame.columns == name).sum() > 1:
            raise InvalidInputError(f"{what}: the column {name!r} stands there more than once")
    drawn = frame.copy()
    places = range(frame.shape[1]) if columns is None else [list(frame.columns).index(name) for name in columns]
    for place in places:
        label = f"{what}, {place_of(frame.columns[place])}"
        drawn.isetitem(place, as_drawn(frame.iloc[:, place], label, needed=False).to_numpy())
    if drawn.iloc[:, list(places)].isna().to_numpy().all():
        raise InvalidInputError(f"{what}: there is no figure to draw")
    return drawn


def check_mapping(
    given: Any, what: str, check: Callable[[Any, str], Any] | None = None, least: int = 1, most: int | None = None
) -> dict[str, Any]:
    """Return a mapping with each of its values checked, if there are enough, and not more than can be told apart.

    Raises
    ------
    InvalidInputError
    """
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"{what}: expected a mapping by label, such as a dict, got a {type(given).__name__}")
    if len(given) < least or (most is not None and len(given) > most):
        count = "expected at least one" if most is None else f"between one and {most} can be told apart"
        raise InvalidInputError(f"{len(given)} {what}: {count}")
    return {key: check(value, f"{what} {key!r}") if check else value for key, value in given.items()}


def check_tables(
    given: Any, columns: Iterable[str], what: str, least: int = 1, most: int | None = None
) -> dict[str, pd.DataFrame]:
    """Return tables by label, each with these columns of figures, as :func:`check_mapping` and :func:`check_table`."""
    columns = list(columns)
    return check_mapping(given, what, lambda table, label: check_table(table, columns, label), least, most)


def look_up(given: Any, name: Any, what: str) -> Any:
    """Return what a mapping, such as of labels or marks, holds for a name.

    Raises
    ------
    InvalidInputError
        For something that is no mapping.
    UnknownNameError
        For a name that it does not have.
    """
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"{what}: expected a mapping by name, such as a dict, got a {type(given).__name__}")
    if name not in given:
        raise UnknownNameError(what, name, given)
    return given[name]


def check_rows(frame: pd.DataFrame, names: Iterable[object], what: str) -> pd.DataFrame:
    """Return the rows of these names.

    Raises
    ------
    InvalidInputError
        If rows have the same name.
    UnknownNameError
        For a name that no row has.
    """
    if frame.index.has_duplicates:
        raise InvalidInputError(f"{what}: {place_of(frame.index[frame.index.duplicated()][0])} has more than one row")
    for name in names:
        if name not in frame.index:
            raise UnknownNameError(f"row of {what}", name, frame.index)
    return frame.loc[list(names)]


def check_result(result: Any, names: Iterable[str], source: str) -> None:
    """Raise InvalidInputError unless a result has these attributes."""
    if not all(hasattr(result, name) for name in names):
        raise InvalidInputError(f"expected a result of {source}, got a {type(result).__name__}")


def as_numbers(labels: pd.Index, what: str) -> np.ndarray:
    """Return labels, such as years, as places on an axis of numbers.

    Raises
    ------
    InvalidInputError
    """
    try:
        if labels.nlevels == 1 and not isinstance(labels, (pd.DatetimeIndex, pd.PeriodIndex, pd.TimedeltaIndex)):
            return labels.to_numpy(dtype=float)
    except (TypeError, ValueError):
        pass
    raise InvalidInputError(f"{what}: expected an index of numbers, such as years, got {labels.dtype}")


def marked(names: Iterable[object], highlight: str | Iterable[str]) -> list[str]:
    """Return the names of rows, those to highlight with an arrow."""
    chosen = set(as_names(highlight, "highlight"))
    return [f"▶ {name}" if name in chosen else str(name) for name in names]


def noted(label: object, note: object) -> str:
    """Return a label with something in brackets behind it, such as a number."""
    return say(f"{label} ({note})", f"{label}（{note}）")


def text_width(text: str, size: float) -> float:
    """Return about how wide a text of this size is, in points: Chinese characters are square, letters half as wide."""
    return size * sum(1.0 if ord(letter) > 0x2E80 else 0.56 for letter in text)


def panel_row(
    headings: Iterable[str], height: float, title: str | None, *, labels: float | None = 7.5, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure with a row of panels under their headings.

    Parameters
    ----------
    headings : iterable of str
    height : float
        In inches.
    title : str or None
        Above all panels.
    labels : float, optional
        Size of the tick labels; None leaves them as they are.
    **options
        Of ``plt.subplots``.
    """
    headings = list(headings)
    figure, grid = plt.subplots(1, len(headings), figsize=(7.4, height), squeeze=False, **options)
    for axes, heading in zip(grid[0], headings, strict=True):
        axes.set_title(heading, fontsize=8.5, linespacing=LINE_SPACING)
        if labels is not None:
            axes.tick_params(labelsize=labels)
    if title is not None:
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure, list(grid[0])


def legend_below(figure: Figure, axes: Axes, columns: int = 3, size: float = 7.5) -> None:
    """Set one legend, that of these axes, below all panels: in even rows of at most so many columns that fit."""
    handles, labels = axes.get_legend_handles_labels()
    # With a handle and the gaps beside it, as wide as five letters and a half.
    widths = [text_width(str(label), size) + 5.5 * size for label in labels]
    for rows in range(-(-len(labels) // columns), len(labels) + 1):
        even = max(1, -(-len(labels) // max(1, rows)))
        if sum(max(part, default=0.0) for part in np.array_split(widths, even)) <= 72 * figure.get_figwidth():
            break
    figure.legend(handles, labels, fontsize=size, loc="outside lower center", ncols=even)


def draw_intervals(
    axes: Axes, place: np.ndarray, table: pd.DataFrame, estimate: str, *, upright: bool, width: float = 1.3, **look: Any
) -> None:
    """Draw estimates at these places and lines from ``lower`` to ``upper``, across or upright, in one look."""
    draw = axes.vlines if upright else axes.hlines
    draw(place, table["lower"], table["upper"], color=look["color"], linewidth=width, alpha=look.pop("faded", 1.0))
    axes.plot(*((place, table[estimate]) if upright else (table[estimate], place)), **look)


def series_look(i: int, label: str) -> dict[str, Any]:
    """Return how a series without a mark of its own is drawn: by colour, marker, and every other one hollow."""
    colour = SERIES_COLOURS[i]
    filled = colour if i % 2 == 0 else "white"
    return {
        "color": colour, "marker": MARKERS[i], "markerfacecolor": filled, "linestyle": "none", "markersize": 4.5,
        "label": label,
    }  # fmt: skip
