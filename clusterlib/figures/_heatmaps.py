"""Heat maps: coverage, grades of coordination, location quotients, transition matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import BoundaryNorm, ListedColormap

from clusterlib.composite import COORDINATION_GRADES
from clusterlib.core.language import say
from clusterlib.figures._canvas import check_result, check_table, marked
from clusterlib.figures._drawn import DECORATION, keep_values
from clusterlib.figures._style import NEUTRAL, SEQUENTIAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

    from clusterlib.spatial import SpatialMarkov


def _shades(share: float, count: int) -> ListedColormap:
    """Return the lighter part of the colour map: its darkest would swallow the figures."""
    return ListedColormap(mpl.colormaps[SEQUENTIAL](np.linspace(0, share, count)))


def _draw_cells(
    axes: Axes,
    frame: pd.DataFrame,
    digits: int,
    *,
    shades: np.ndarray | None = None,
    highlight: str | Iterable[str] = (),
    missing: str = "–",
    size: float = 7,
    ink: Callable[[float], str] = lambda value: "black",
    **look: Any,
) -> QuadMesh:
    """Shade the cells of a frame, by ``shades`` in place of their figures if given, and write the figures into them."""
    import seaborn as sns

    values = frame.to_numpy(float)
    sns.heatmap(
        values if shades is None else shades, ax=axes, cbar=False, xticklabels=list(frame.columns),
        yticklabels=list(marked(frame.index, highlight)), **look,
    )  # fmt: skip
    keep_values(axes.collections[-1], frame)
    # Not seaborn's own: it leaves cells without a figure empty, and chooses the ink by the shade alone.
    for (row, column), value in np.ndenumerate(values):
        text = missing if np.isnan(value) else f"{value:.{digits}f}"
        if text:
            axes.text(
                column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=size, color=ink(value), clip_on=True
            )
    axes.tick_params(axis="both", length=0)
    axes.tick_params(axis="y", rotation=0)
    return cast("QuadMesh", axes.collections[0])


def coverage_heatmap(coverage: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Draw the share of units that have a figure, indicators by years; a blank cell has none at all.

    Parameters
    ----------
    coverage : DataFrame
        Percent; one row an indicator, one column a year.
    title : str, optional
    """
    coverage = check_table(coverage, what="coverage")
    # Few rows leave no room for the years below them otherwise.
    figure, axes = plt.subplots(figsize=(8.6, max(2.2, 1.2 + 0.19 * len(coverage))))
    _draw_cells(
        axes, coverage.where(coverage > 0), 0, missing="", size=6, cmap="Greys", vmin=0, vmax=130,
        ink=lambda value: "white" if value > 80 else "black",
    )  # fmt: skip
    axes.set(title=title)
    axes.tick_params(axis="both", labelsize=7)
    # Beside long names more than a dozen years have no room to lie.
    axes.tick_params(axis="x", rotation=90 if coverage.shape[1] > 12 else 0)
    axes.hlines(np.arange(1, len(coverage)), *axes.get_xlim(), color="white", linewidth=0.4, label=DECORATION)
    return figure


def grade_heatmap(degree: pd.DataFrame, highlight: str | Iterable[str] = (), *, title: str | None = None) -> Figure:
    """Draw degrees of coordination, units by years, written in the cells and shaded by their grade.

    Parameters
    ----------
    degree : DataFrame
        In [0, 1]; one row a unit, one column a year.
    highlight : iterable of str
        Rows marked with an arrow.
    title : str, optional
    """
    degree = check_table(degree, what="degree")
    figure, axes = plt.subplots(figsize=(7.4, 1.1 + 0.2 * len(degree)))
    bounds = np.linspace(0, 1, 11)
    image = _draw_cells(
        axes, degree, 2, highlight=highlight, size=6.5, cmap=_shades(0.68, 10), norm=BoundaryNorm(bounds, 10),
    )  # fmt: skip
    axes.set(title=title)
    axes.tick_params(axis="both", labelsize=7.5)
    bar = figure.colorbar(image, ax=axes, ticks=(bounds[:-1] + bounds[1:]) / 2, pad=0.02, aspect=30)
    bar.ax.set_yticklabels([f"{k} {say(*words)}" for k, words in enumerate(COORDINATION_GRADES, start=1)], fontsize=7)
    bar.ax.tick_params(which="both", length=0)
    bar.outline.set_visible(False)
    return figure


def quotient_heatmap(
    quotients: pd.DataFrame, highlight: str | Iterable[str] = (), *, title: str | None = None
) -> Figure:
    """Draw location quotients, units by industries, written in the cells, in black from one up and in grey below.

    Parameters
    ----------
    quotients : DataFrame
        One row a unit, one column an industry; shaded on a logarithmic scale from a quarter to four.
    highlight : iterable of str
        Rows marked with an arrow.
    title : str, optional
    """
    quotients = check_table(quotients, what="quotients")
    figure, axes = plt.subplots(figsize=(7.6, 1.9 + 0.2 * len(quotients)))
    _draw_cells(
        axes, quotients, 2, shades=np.log2(quotients.to_numpy(float).clip(0.25, 4)), highlight=highlight, size=6,
        cmap=_shades(0.6, 64), vmin=-2, vmax=2, ink=lambda value: "black" if value >= 1 else NEUTRAL,
    )  # fmt: skip
    axes.set(title=title)
    plt.setp(axes.get_xticklabels(), rotation=40, ha="right", rotation_mode="anchor")
    axes.tick_params(axis="both", labelsize=7)
    return figure


def transition_heatmaps(markov: SpatialMarkov, *, title: str | None = None) -> Figure:
    """Draw the transition matrices of a spatial Markov chain: all units, then by class of the neighbours."""
    check_result(markov, ("k", "matrix"), "clusterlib.spatial.spatial_markov")
    names = ["all", *range(1, markov.k + 1)]
    figure, panels = plt.subplots(1, len(names), figsize=(7.4, 0.6 + 7 / len(names)), sharey=True)
    for panel, name in zip(panels, names, strict=True):
        _draw_cells(
            panel, markov.matrix(name), 2, size=6.5, cmap=SEQUENTIAL, vmin=0, vmax=1, square=True,
            ink=lambda value: "white" if value > 0.55 else "black",
        )  # fmt: skip
        heading = say("all", "全部") if name == "all" else say(f"neighbours {name}", f"邻域类型 {name}")
        panel.set_title(heading, fontsize=8, loc="center")
        panel.tick_params(labelsize=7)
    panels[0].set_ylabel(say("class now", "当期类型"), fontsize=8)
    figure.supxlabel(say("class next year (1 = lowest)", "下一年类型（1 = 最低）"), fontsize=8)
    if title is not None:
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure
