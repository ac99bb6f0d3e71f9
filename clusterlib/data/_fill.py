"""Fill missing figures as the catalogue of imported indicators declares (缺失值处理)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from clusterlib.core.checks import check_choice, check_columns
from clusterlib.core.missing import LEAVE, fill_panel
from clusterlib.data._columns import PANELS
from clusterlib.data._load import indicator_catalogue
from clusterlib.data._own import own_indicators
from clusterlib.errors import InvalidInputError

if TYPE_CHECKING:
    import pandas as pd

    from clusterlib.core.missing import FilledPanel


def fill_missing(
    panel: pd.DataFrame,
    level: str | None = None,
    *,
    policy: str | Mapping[str, str] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    seed: int = 0,
) -> FilledPanel:
    r"""Fill the missing figures of a panel by a stated policy, and flag each that was filled (缺失值处理).

    - ``leave``: nothing is filled; that of all shipped indicators.
    - ``linear K``: between two figures of a unit at most K years without one, along a straight line; nothing before
      the first or after the last.
    - ``multiple M``: M completed copies (多重插补). Given the other columns z and effects of units and years,

      .. math:: x_{it} = z_{it}'\delta + \alpha_i + \gamma_t + e_{it}, \quad e_{it} \sim N(0, \sigma^2)

      with a flat prior; each copy draws :math:`\sigma^2`, :math:`\delta`, the effects and :math:`e` in this order,
      round by round where several columns have gaps (chained equations). Columns whose figures are all positive are
      taken in logs, also as predictors. Nothing is filled for units or years without a figure of one of the columns.

    A panel should hold all variables of the regression to come, the outcome too: a fill that ignores it pulls the
    coefficient to zero. Multiple imputation holds where what is missing depends on figures that are seen (missing at
    random), not on the missing figure itself. It takes errors as unrelated over time. Intervals after ``linear`` take
    what was filled for known and do not cover; see ``benchmarks/missing.py``.

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year), figures or missing. Years between the first and the last without a row count as gaps.
    level : {"province", "city", "county", "economy"}, optional
        Takes the declared policies of imported indicators, and the catalogue's bounds.
    policy : str or dict, optional
        For all columns, or by column with the others left; by default what :func:`own_indicators` declares.
    bounds : dict, optional
        Smallest and largest value of draws by column; by default the catalogue's.
    seed : int
        Of the copies; the same seed gives the same copies everywhere.

    Returns
    -------
    FilledPanel
        ``panel``, ``imputed``, ``copies``, ``policy``, ``table``; estimate on ``copies`` and hand the results to
        :func:`clusterlib.inference.pool`.

    Raises
    ------
    InvalidInputError
        For an index without years, an unknown policy, numbers of copies that differ, or too few figures.
    UnknownNameError
        If there is no such level.

    References
    ----------
    Rubin, D. B. (1987). Multiple Imputation for Nonresponse in Surveys. Wiley, section 5.3. van Buuren, S. (2018).
    Flexible Imputation of Missing Data, 2nd ed. CRC Press, algorithms 3.1 and 4.3.

    Examples
    --------
    >>> import pandas as pd
    >>> panel = pd.DataFrame({"firms": [2.0, 8.0]}, pd.MultiIndex.from_tuples([(1, 2019), (1, 2022)]))
    >>> fill_missing(panel, policy="linear 2").panel["firms"].tolist()
    [2.0, 4.0, 6.0, 8.0]
    """
    check_columns(panel, list(panel.columns))
    limits: dict[str, tuple[float, float]] = {}
    if level is not None:
        shipped = indicator_catalogue(check_choice("level", level, PANELS))
        own = own_indicators(level, [str(name) for name in panel.columns if name not in shipped.index])
        for known in (shipped, own):
            there = known.loc[known.index.intersection(panel.columns), ["minimum", "maximum"]]
            limits |= {str(name): (low, high) for name, low, high in there.itertuples()}
        if policy is None:
            policy = {name: own["missing"].get(name, LEAVE) for name in panel.columns}
    if policy is None:
        raise InvalidInputError('fill_missing: give a policy, such as policy="linear 2", or the level that declares it')
    return fill_panel(panel, policy, bounds=limits | dict(bounds or {}), seed=seed)
