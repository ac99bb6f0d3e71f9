"""What a scenario found: effects by unit and for the region, with intervals and assumptions (情景结果)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

PARTS = ("direct", "spillover", "total")
NO_GROUPS = pd.DataFrame(
    columns=["estimate", "lower", "upper"], index=pd.MultiIndex.from_arrays([[], []], names=["province", "regime"])
)


@dataclass(frozen=True)
class Scenario:
    """Effects of a remedy applied to the units of one region.

    Attributes
    ----------
    remedy, region : str
    year : int
        Of the figures that are changed and of the GDP that weighs units.
    unit : str
        Of the effects.
    table : DataFrame
        By adcode, all units of the model: ``member`` (whether of the region), then ``direct``, ``spillover`` and
        ``total``, each with ``_lower`` and ``_upper``. Direct is what a unit's own change gives it, spillover the rest.
    totals : DataFrame
        ``estimate``, ``lower``, ``upper`` by effect, units weighed by their GDP relative to that of the region:
        ``direct``; ``spillover_inside`` and ``spillover_outside``, what the region's units get beyond that and what the
        rest of the country gets, ``spillover``, their sum; ``total``. For joint targets also ``gain``,
        ``gain_over_present`` and the region's response under each regime: ``alone``, ``present``, ``joint``.
    groups : DataFrame
        Of joint targets: by (province, regime) ``estimate``, ``lower``, ``upper`` of its cities' response, weighed by
        GDP; regimes ``alone``, ``present``, ``joint``. Of other remedies empty.
    changes : DataFrame
        By (adcode, indicator), the units that change: ``before`` and ``after``.
    assumptions : tuple of (str, str)
        Each in English and Chinese.
    settings : dict
        What made it; ``rejected`` counts draws outside the stable values.
    """

    remedy: str
    region: str
    year: int
    unit: str
    table: pd.DataFrame
    totals: pd.DataFrame
    groups: pd.DataFrame
    changes: pd.DataFrame
    assumptions: tuple[tuple[str, str], ...]
    settings: dict = field(default_factory=dict)

    def summary(self) -> pd.DataFrame:
        """Return the region's totals."""
        return self.totals

    def verdict(self, effect: str = "total") -> str:
        """Say whether an effect of the region is told from zero (结论)."""
        estimate, lower, upper = self.totals.loc[effect, ["estimate", "lower", "upper"]]
        if not len(self.changes):
            return "no unit of the region lies below the target: nothing changes"
        level = f"{100 * self.settings['level']:g} percent interval"
        found = f"{estimate:+.3f} {self.unit} ({level} {lower:+.3f} to {upper:+.3f})"
        if lower <= 0 <= upper:
            return f"not told from zero: {found}"
        return f"{'positive' if estimate > 0 else 'negative'}: {found}"


def interval(values: np.ndarray, level: float) -> np.ndarray:
    """Return estimate and bounds, shape (..., 3), of values whose last axis holds the estimate and then the draws."""
    bounds = np.quantile(values[..., 1:], [(1 - level) / 2, (1 + level) / 2], axis=-1)
    return np.stack([values[..., 0], *bounds], axis=-1)


def unit_table(units: pd.Index, direct: np.ndarray, total: np.ndarray, members, level: float) -> pd.DataFrame:
    """Set effects by unit, shape (units, 1 + draws) each, as the table of a scenario."""
    effects = np.hstack([interval(values, level) for values in (direct, total - direct, total)])
    columns = [f"{name}{end}" for name in PARTS for end in ("", "_lower", "_upper")]
    table = pd.DataFrame(effects, units, columns)
    table.insert(0, "member", units.isin(list(members)))
    return table


def region_totals(
    direct: np.ndarray, total: np.ndarray, member: np.ndarray, weights: np.ndarray, level: float, **further: np.ndarray
) -> pd.DataFrame:
    r"""Effects of a region as a whole: sums over units, weighed by size relative to the region's (区域合计).

    .. math:: D_R = \sum_{i \in R} s_i d_i, \quad S_R = \sum_{i \in R} s_i (t_i - d_i) + \sum_{i \notin R} s_i t_i,
              \quad s_i = g_i \Big/ \sum_{j \in R} g_j

    Parameters
    ----------
    direct, total : ndarray, shape (units, 1 + draws)
    member : ndarray of bool, shape (units,)
    weights : ndarray, shape (units,)
    level : float
    **further : ndarray, shape (units, 1 + draws)
        Other responses, of which the weighted mean over the region's units is added by name.
    """
    share = weights / weights[member].sum()
    home, spilt = share * member, total - direct
    parts = {"direct": home @ direct, "spillover_inside": home @ spilt, "spillover_outside": (share * ~member) @ total}
    parts["spillover"] = parts["spillover_inside"] + parts["spillover_outside"]
    parts["total"] = parts["direct"] + parts["spillover"]
    parts |= {name: home @ values for name, values in further.items()}
    rows = {name: interval(values, level) for name, values in parts.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "lower", "upper"]).rename_axis("effect")


def group_means(groups: pd.Series, weights: np.ndarray, level: float, **responses: np.ndarray) -> pd.DataFrame:
    """Weighted means of responses, shape (units, 1 + draws), by (group, response); units of no group are left out."""
    rows = {}
    for group in groups.dropna().unique().astype(int):
        share = np.where(groups == group, weights, 0.0)
        for name, values in responses.items():
            rows[group, name] = interval(share / share.sum() @ values, level)
    index = pd.MultiIndex.from_tuples(rows, names=["province", "regime"])
    return pd.DataFrame(list(rows.values()), index, ["estimate", "lower", "upper"])
