"""Panel data set out for estimation: columns checked, effects taken out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_panel, panel_index
from clusterlib.core.within import CONSTANT, Layout, check_variation, make_layout
from clusterlib.errors import InvalidInputError


@dataclass(frozen=True)
class Design:
    """The variables of a regression with their effects taken out; without effects a constant is among ``names``."""

    layout: Layout
    names: tuple[str, ...]
    y: np.ndarray
    X: np.ndarray


def make_design(data: pd.DataFrame, y: str, x: str | Iterable[str], effects: str, extra: Sequence[str] = ()) -> Design:
    """Check the columns and take the effects out of them; the columns of ``extra`` come last.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.panel.fixed_effects`.
    """
    names = [*as_names(x), *extra]
    frame = check_panel(data, [y, *names])
    if frame.empty:
        raise InvalidInputError("the panel has no rows")
    layout = make_layout(panel_index(frame), effects)
    raw = frame.to_numpy()
    values = layout.within(raw)
    check_variation(raw, values, list(frame.columns), effects)
    X = values[:, 1:]
    if effects == "none":
        X, names = np.column_stack([np.ones(len(X)), X]), [CONSTANT, *names]
    return Design(layout, tuple(names), values[:, 0], X)
