"""Random effects (随机效应模型) by Swamy and Arora's variance components."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.covariance import make_covariance
from clusterlib.core.within import Layout, least_squares
from clusterlib.errors import InvalidInputError
from clusterlib.panel._design import Design, make_design
from clusterlib.panel._regression import PanelResult, result_fields


@dataclass(frozen=True)
class Components:
    """Variances of the unit effect and of the rest, and the share of its mean that each row loses."""

    sigma2_idiosyncratic: float
    sigma2_entity: float
    theta: np.ndarray

    def transform(self, values: np.ndarray, layout: Layout) -> np.ndarray:
        """Return ``values`` less the share ``theta`` of the unit's mean."""
        return values - self.theta[:, None] * layout.unit_means(values)


def _squares_left(y: np.ndarray, X: np.ndarray) -> tuple[float, int]:
    scale = np.linalg.norm(X, axis=0)
    X = X[:, scale > 1e-9 * scale.max()] if len(scale) else X
    params, _, rank, _ = np.linalg.lstsq(X / np.linalg.norm(X, axis=0), y, rcond=1e-9)
    left = y - (X / np.linalg.norm(X, axis=0)) @ params
    return float(left @ left), int(rank)


def swamy_arora(y: np.ndarray, X: np.ndarray, layout: Layout) -> Components:
    """Estimate the components from the within and the between regression; ``X`` has a constant.

    Raises
    ------
    InvalidInputError
        If there are too few units or periods for either regression.
    """
    n, units = layout.rows, len(layout.units)
    y_mean, X_mean = layout.unit_means(y[:, None])[:, 0], layout.unit_means(X)
    within, k = _squares_left(y - y_mean, (X - X_mean)[:, X.std(axis=0) > 0])
    between, k_between = _squares_left(y_mean, X_mean)
    if n - units - k <= 0 or units <= k_between:
        raise InvalidInputError(
            f"{units} units and {n} rows: Swamy and Arora's components need more units than {k_between} coefficients "
            f"and more rows than units and {k} coefficients"
        )
    sigma2 = within / (n - units - k)
    sums = X_mean * np.bincount(layout.unit)[layout.unit][:, None]
    trace = np.trace(np.linalg.pinv(X_mean.T @ X_mean, rcond=1e-12, hermitian=True) @ (X_mean.T @ sums))
    entity = max(0.0, (between - (units - k_between) * sigma2) / (n - trace))
    counts = np.bincount(layout.unit)[layout.unit]
    return Components(sigma2, entity, 1 - np.sqrt(sigma2 / (sigma2 + counts * entity)))


def period_dummies(layout: Layout) -> np.ndarray:
    """Return a column of zeros and ones for every period but the first."""
    return (layout.time[:, None] == np.arange(1, len(layout.periods))).astype(float)


def random_design(
    data: pd.DataFrame, y: str, x: str | Iterable[str], time_effects: bool
) -> tuple[Design, np.ndarray, Components]:
    """Return the design with a constant, its columns with period dummies, and the components."""
    design = make_design(data, y, x, "none")
    X = np.column_stack([design.X, period_dummies(design.layout)]) if time_effects else design.X
    return design, X, swamy_arora(design.y, X, design.layout)


def random_effects(data: pd.DataFrame, y: str, x: str | Iterable[str], *, time_effects: bool = False) -> PanelResult:
    r"""Random-effects regression (随机效应模型) by feasible generalised least squares.

    .. math:: y_{it} - \theta_i \bar y_i = (x_{it} - \theta_i \bar x_i)'\beta + u_{it},
              \quad \theta_i = 1 - \sqrt{\frac{\sigma^2_\nu}{\sigma^2_\nu + T_i \sigma^2_\alpha}}

    :math:`\sigma^2_\nu` is the within regression's, :math:`\sigma^2_\alpha` Swamy and Arora's, for unbalanced panels in
    Baltagi and Chang's form; where it comes out negative it is zero. Errors are classical, with n less coefficients
    degrees of freedom.

    Parameters
    ----------
    data : DataFrame
        Indexed (unit, time), complete in the columns used.
    y : str
    x : str or iterable of str
    time_effects : bool
        Add a dummy for every period but the first; the table leaves them out.

    Returns
    -------
    PanelResult
        With a constant; ``statistics`` holds ``sigma2_idiosyncratic``, ``sigma2_entity`` and ``theta``, the mean over
        rows. ``r2_within`` is of the transformed variables.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.panel.fixed_effects`, and for too few units.

    References
    ----------
    Swamy, P. A. V. B. and Arora, S. S. (1972). Econometrica 40, 261-275. Baltagi, B. H. and Chang, Y. J. (1994).
    Journal of Econometrics 62, 67-89.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b", "c", "d"], [2020, 2021]], names=["unit", "year"])
    >>> data = pd.DataFrame({"x": [1.0, 2, 4, 3, 3, 5, 2, 6], "y": [3.0, 5, 8, 7, 6, 11, 6, 13]}, index=index)
    >>> round(float(random_effects(data, "y", "x").params["x"]), 4)
    1.8987
    """
    design, X, components = random_design(data, y, x, time_effects)
    layout = design.layout
    y_star = components.transform(design.y[:, None], layout)[:, 0]
    X_star = components.transform(X, layout)
    names = [*design.names, *layout.periods[1:]] if time_effects else list(design.names)
    fit = least_squares(y_star, X_star, names)
    covariance = make_covariance("classical", layout)
    transformed = Design(layout, tuple(names), y_star, X_star)
    matrix = covariance.of(fit.inverse, X_star, fit.residuals, layout)
    fields = result_fields(transformed, fit.params, matrix, fit.residuals, covariance)
    kept = list(design.names)
    for name in ("params", "std_errors", "table"):
        fields[name] = fields[name].loc[kept]
    fields["covariance"] = fields["covariance"].loc[kept, kept]
    statistics = {
        "sigma2_idiosyncratic": components.sigma2_idiosyncratic,
        "sigma2_entity": components.sigma2_entity,
        "theta": float(components.theta.mean()),
    }
    settings = {"method": "random effects (Swamy-Arora)", "y": y, "x": design.names, "effects": "random"}
    settings |= {"time_effects": time_effects, **covariance.settings}
    return PanelResult(**fields, statistics=statistics, settings=settings)
