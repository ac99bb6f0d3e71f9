"""Specialisation and diversity of regions (专业化与多样化): Herfindahl, Krugman, related and unrelated variety."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clusterlib.agglomeration._concentration import check_amounts, check_regions
from clusterlib.core.checks import check_choice, check_number, listed
from clusterlib.errors import InvalidInputError

KRUGMAN_REFERENCES = ("nation", "rest")


def _refuse_empty(values: pd.DataFrame) -> pd.DataFrame:
    empty = values.index[values.sum(axis=1) == 0]
    if len(empty):
        raise InvalidInputError(f"nothing in any industry: {listed(empty)}; leave it out")
    return values


def _shares(values: pd.DataFrame) -> pd.DataFrame:
    return values.div(values.sum(axis=1), axis=0)


def herfindahl(values: pd.DataFrame | pd.Series) -> pd.DataFrame | pd.Series:
    r"""Herfindahl-Hirschman index of shares (赫芬达尔指数) and its equivalent number.

    .. math:: H = \sum_{k=1}^n s_k^2 \in [1/n, 1], \quad N = 1 / H, \quad H^* = \frac{H - 1/n}{1 - 1/n}

    Of the industries of each region it measures specialisation; of the regions of each industry, with the table
    turned round (``values.T``), geographic concentration; of plants, what :func:`ellison_glaeser` needs.

    Parameters
    ----------
    values : DataFrame, shape (regions, industries), or Series
        Output, employment or counts, not negative. Zeros count in n.

    Returns
    -------
    DataFrame, or Series for a Series
        By row: ``herfindahl``, ``equivalent_number`` N of equal parts, ``normalised`` H* in [0, 1] (missing for a
        single part) and ``n``.

    Raises
    ------
    InvalidInputError
        For negative or missing values, text, or a row of zeros.

    References
    ----------
    Hirschman, A. O. (1964). The paternity of an index. American Economic Review 54, 761-762.

    Examples
    --------
    >>> import pandas as pd
    >>> herfindahl(pd.Series([50.0, 30.0, 20.0])).round(3).tolist()
    [0.38, 2.632, 0.07, 3.0]
    """
    if isinstance(values, pd.Series):
        # By position: plants may share a label.
        whole = _herfindahl(values.reset_index(drop=True).to_frame().T.set_axis(["values"]))
        return pd.Series(whole.to_dict("records")[0], name=values.name)
    return _herfindahl(values)


def _herfindahl(values: pd.DataFrame) -> pd.DataFrame:
    values = _refuse_empty(check_amounts(values))
    n = values.shape[1]
    index = (_shares(values) ** 2).sum(axis=1)
    normalised = (index - 1 / n) / (1 - 1 / n) if n > 1 else np.nan
    return pd.DataFrame({"herfindahl": index, "equivalent_number": 1 / index, "normalised": normalised, "n": n})


def krugman_specialisation(values: pd.DataFrame, *, reference: str = "nation", halved: bool = False) -> pd.Series:
    r"""Krugman's specialisation index (克鲁格曼专业化指数): how far a region's structure is from the reference.

    .. math:: K_i = \sum_k |s_{ik} - \bar s_{ik}|

    :math:`s_{ik}` is the share of industry :math:`k` in region :math:`i`, :math:`\bar s_{ik}` its share in the
    reference. In [0, 2] as Krugman has it; ``halved`` gives [0, 1], the share of the region that would have to change
    industry to have the structure of the reference.

    Parameters
    ----------
    values : DataFrame, shape (regions, industries)
        Output or employment, not negative; the rows make up the whole economy.
    reference : {"nation", "rest"}
        Structure of all regions together, the region itself among them, which draws the index of large regions
        towards zero; or of all other regions.
    halved : bool
        Whether to divide by two.

    Returns
    -------
    Series
        By region.

    Raises
    ------
    InvalidInputError
        For negative or missing values, text, a region of zeros, or fewer than two regions.
    UnknownNameError
        For an unknown reference.

    References
    ----------
    Krugman, P. (1991). Geography and Trade, appendix B. MIT Press.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"software": [30.0, 10.0], "textiles": [10.0, 30.0]}, index=["coast", "inland"])
    >>> krugman_specialisation(table).tolist(), krugman_specialisation(table, reference="rest").tolist()
    ([0.5, 0.5], [1.0, 1.0])
    """
    check_choice("reference", reference, KRUGMAN_REFERENCES)
    values = _refuse_empty(check_regions(values))
    if len(values) < 2:
        raise InvalidInputError("one region: its structure has nothing to be compared with")
    compared = values.sum().to_frame().T.to_numpy() - (values.to_numpy() if reference == "rest" else 0)
    compared = np.broadcast_to(compared, values.shape)
    distance = np.abs(_shares(values) - compared / compared.sum(axis=1, keepdims=True)).sum(axis=1)
    return (distance / 2 if halved else distance).rename("krugman")


def variety(values: pd.DataFrame, groups: Mapping[str, str] | pd.Series, *, base: float = 2) -> pd.DataFrame:
    r"""Related and unrelated variety (相关多样化与无关多样化): entropy within and between groups of industries.

    With :math:`p_k` the share of industry :math:`k` in a region and :math:`P_g` that of group :math:`g`,

    .. math:: UV = \sum_g P_g \log \frac{1}{P_g}, \quad
              RV = \sum_g P_g \sum_{k \in g} \frac{p_k}{P_g} \log \frac{P_g}{p_k}, \quad
              UV + RV = \sum_k p_k \log \frac{1}{p_k}

    where :math:`0 \log (1 / 0) = 0`.

    Parameters
    ----------
    values : DataFrame, shape (regions, industries)
        Output or employment, not negative.
    groups : mapping or Series
        Group of each industry: the coarser level of a classification.
    base : float
        Of the logarithm: 2 as in Frenken et al., in bits.

    Returns
    -------
    DataFrame
        By region: ``unrelated``, ``related``, ``total``.

    Raises
    ------
    InvalidInputError
        For negative or missing values, text, a region of zeros, or an industry without group.

    References
    ----------
    Frenken, K., Van Oort, F. and Verburg, T. (2007). Related variety, unrelated variety and regional economic growth.
    Regional Studies 41, 685-697, eqs. (1)-(4).

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"software": [25.0], "hardware": [25.0], "textiles": [50.0]}, index=["coast"])
    >>> variety(table, {"software": "digital", "hardware": "digital", "textiles": "light"}).iloc[0].tolist()
    [1.0, 0.5, 1.5]
    """
    from scipy.special import entr

    check_number("base", base, least=1, open_ends=True)
    values = _refuse_empty(check_amounts(values))
    if not isinstance(groups, (Mapping, pd.Series)) or pd.Series(groups).index.has_duplicates:
        raise InvalidInputError("groups: expected a mapping or Series with the group of each industry, each once")
    group = pd.Series(groups).reindex(values.columns)
    if group.isna().any():
        raise InvalidInputError(f"no group for {listed(group.index[group.isna()])}")
    shares = _shares(values)
    by_group = shares.T.groupby(group).sum().T
    total, unrelated = (entr(part).sum(axis=1) / np.log(base) for part in (shares, by_group))
    # A difference of sums that are equal may come out below zero in the last bit.
    return pd.DataFrame({"unrelated": unrelated, "related": (total - unrelated).clip(lower=0), "total": total})
