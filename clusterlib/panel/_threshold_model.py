"""The fixed-effects regression of a panel with given thresholds, and what is refused before it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_panel
from clusterlib.errors import InvalidInputError
from clusterlib.panel._threshold_search import demean

# Share of a variable that must be left once the effects or the other variables are taken out.
NOTHING_LEFT = 1e-10


def checked_frame(data: pd.DataFrame, y: str, x: list, regime: list, threshold: str) -> pd.DataFrame:
    """Return the columns that are used, sorted by unit and time.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.panel.panel_threshold`.
    """
    if not regime:
        raise InvalidInputError("regime: name at least one regressor whose slope depends on the regime")
    regressors = [*x, *regime]
    if y in regressors:
        raise InvalidInputError(f"{y!r} is the dependent variable and a regressor")
    names = [y, *regressors] + ([] if threshold in (y, *regressors) else [threshold])
    return check_panel(data, names)


class ThresholdModel:
    """The panel as arrays (units, periods, ...), and the regression for given thresholds."""

    def __init__(self, frame, y, x, regime, threshold, effects, strict, units, periods) -> None:
        def array(names):
            return frame[names].to_numpy().reshape(units, periods, -1)

        self.effects, self.strict, self.units = effects, strict, units
        self.size = units * periods
        self.scale = (units - (effects == "twoway")) * (periods - 1)
        # Effects that dummies of the units do not span, the constant among them.
        self.not_nested = periods if effects == "twoway" else 1
        self.names, self.regime_names = x, regime
        self.q, self.r, self.x = array([threshold])[..., 0], array(regime), array(x)
        self.y = demean(array([y]), effects).reshape(self.size)
        self._check_variation()

    def _check_variation(self) -> None:
        raw = np.concatenate([self.x, self.r], axis=2)
        left = np.abs(demean(raw, self.effects)).max(axis=(0, 1)) > NOTHING_LEFT * np.abs(raw).max(axis=(0, 1))
        if not left.all():
            flat = [str(name) for name, some in zip([*self.names, *self.regime_names], left, strict=True) if not some]
            raise InvalidInputError(
                f"no variation is left once the effects are taken out: {', '.join(flat)}; leave it out"
            )

    def regimes(self, thresholds: np.ndarray) -> np.ndarray:
        """Number of each observation's regime, from 0."""
        return np.searchsorted(np.sort(thresholds), self.q, side="right" if self.strict else "left")

    def design(self, thresholds: np.ndarray) -> np.ndarray:
        """Demeaned regressors: the common ones, then the others by regime."""
        number = self.regimes(thresholds)
        parts = [self.r * (number == j)[..., None] for j in range(len(thresholds) + 1)]
        return demean(np.concatenate([self.x, *parts], axis=2), self.effects).reshape(self.size, -1)

    def fit(self, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return design, coefficients and residuals of least squares.

        Raises
        ------
        InvalidInputError
            For regressors that are linearly dependent.
        """
        design = self.design(thresholds)
        length = np.sqrt((design**2).sum(axis=0)).clip(min=np.finfo(float).tiny)
        beta, _, rank, _ = np.linalg.lstsq(design / length, self.y, rcond=NOTHING_LEFT)
        if rank < design.shape[1]:
            raise InvalidInputError(
                "the regressors are linearly dependent once the effects are taken out: leave one of "
                f"{', '.join(map(str, [*self.names, *self.regime_names]))} out, or ask for fewer thresholds"
            )
        beta = beta / length
        return design, beta, self.y - design @ beta

    def coefficients(self, thresholds: np.ndarray) -> tuple[pd.DataFrame, float]:
        """Return estimates with three kinds of standard errors, and the sum of squared residuals."""
        design, beta, residuals = self.fit(thresholds)
        ssr, (n, k) = float(residuals @ residuals), design.shape
        inverse = np.linalg.inv(design.T @ design)
        scores = design * residuals[:, None]
        by_unit = scores.reshape(self.units, -1, k).sum(axis=1)
        factor = self.units / (self.units - 1) * (n - 1) / (n - k - self.not_nested)
        variances = {
            "se_classical": np.diag(inverse) * ssr / (self.scale - k),
            "se_robust": np.diag(inverse @ (scores.T @ scores) @ inverse),
            "se_clustered": factor * np.diag(inverse @ (by_unit.T @ by_unit) @ inverse),
        }
        regimes = range(1, len(thresholds) + 2)
        names = [*self.names, *(f"{name}_regime{j}" for j in regimes for name in self.regime_names)]
        errors = {kind: np.sqrt(variance) for kind, variance in variances.items()}
        return pd.DataFrame({"estimate": beta, **errors}, index=pd.Index(names, name="variable")), ssr

    def shares(self, thresholds: np.ndarray, index: pd.MultiIndex) -> pd.DataFrame:
        """Share of units in each regime, by period."""
        number = self.regimes(thresholds)
        columns = {f"regime{j + 1}": (number == j).mean(axis=0) for j in range(len(thresholds) + 1)}
        return pd.DataFrame(columns, index=index.unique(1))
