"""Several tests beside each other (多重检验): one rule, for whatever some of a family of tests would be enough for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import place_of
from clusterlib.errors import InvalidInputError


def holm(p_values: pd.Series | Mapping[Any, float]) -> pd.Series:
    r"""P values of a family of tests after Holm (多重检验的Holm校正).

    The rule of this study: a conclusion that needs **all** of several tests takes each at its own level, since it is
    wrong no more often than the least of them (intersection-union, Berger 1982). One for which **some** would be
    enough takes these p values, which bound the probability of any false rejection in the family whatever the tests
    have in common. In increasing order of the :math:`m` p values

    .. math:: \tilde p_{(k)} = \min\Big\{1, \max_{j \le k} (m - j + 1)\, p_{(j)}\Big\}

    Parameters
    ----------
    p_values : Series or mapping of float
        Of one family, each in [0, 1]. A missing one is of a test that was not made: it stays missing and does not
        count.

    Returns
    -------
    Series
        In the order given.

    Raises
    ------
    InvalidInputError
        For what is no number in [0, 1].

    References
    ----------
    Berger, R. L. (1982). Multiparameter hypothesis testing and acceptance sampling. Technometrics 24, 295-300.
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6,
    65-70.

    Examples
    --------
    >>> holm({"exports": 0.01, "imports": 0.04, "patents": 0.03}).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    given = pd.Series(p_values, dtype=object)
    found = pd.to_numeric(given, errors="coerce").astype(float)
    bad = found.index[(found.isna() & given.notna()) | (found < 0) | (found > 1)]
    if len(bad):
        raise InvalidInputError(f"p value of {place_of(bad[0])}: expected a number from 0 to 1, not {given[bad[0]]!r}")
    order = np.argsort(found.to_numpy(), kind="stable")[: found.notna().sum()]
    adjusted = np.maximum.accumulate(found.to_numpy()[order] * np.arange(len(order), 0, -1))
    values = found.to_numpy(copy=True)
    values[order] = np.minimum(adjusted, 1.0)
    return pd.Series(values, found.index, name=found.name)
