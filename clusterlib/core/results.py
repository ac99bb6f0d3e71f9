"""What every method returns (结果): one protocol for tables, tests and what people see of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_level, check_number
from clusterlib.core.tables import format_number, set_html, set_text, write_cells
from clusterlib.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

STARS_NOTE = "standard errors in parentheses 括号内为标准误; * p < 0.1, ** p < 0.05, *** p < 0.01"
# Names that results had before they shared one protocol.
OLD_NAMES = {
    "observations": "nobs",
    "units": "n_units",
    "entities": "n_units",
    "periods": "n_periods",
    "df_residual": "df_resid",
    "loglike": "loglik",
}
NORMAL = float("inf")
# Columns of text below a table; a terminal has 80 to 120.
_WIDTH = 100


def coefficient_table(
    estimates: pd.Series, std_errors: pd.Series, df: float | None = None, level: float = 0.95
) -> pd.DataFrame:
    r"""Set estimates with their standard errors, test statistics, p values and intervals (系数表).

    .. math:: t_k = b_k / s_k, \quad p_k = 2 \Pr(T > |t_k|), \quad b_k \pm q_{(1 + \text{level}) / 2} \, s_k

    Parameters
    ----------
    estimates, std_errors : Series
        By the same index.
    df : float, optional
        Degrees of freedom of Student's distribution; by default the normal distribution.
    level : float
        Of the intervals.

    Returns
    -------
    DataFrame
        Columns ``estimate``, ``std_error``, ``statistic``, ``p_value``, ``lower``, ``upper``.

    Examples
    --------
    >>> import pandas as pd
    >>> table = coefficient_table(pd.Series({"x": 2.0}), pd.Series({"x": 1.0}))
    >>> table.loc["x"].round(3).tolist()
    [2.0, 1.0, 2.0, 0.046, 0.04, 3.96]
    """
    from scipy.stats import norm, t

    check_level(level)
    for name, given in (("estimates", estimates), ("std_errors", std_errors)):
        if not isinstance(given, pd.Series):
            raise InvalidInputError(f"{name}: expected a Series by variable, got a {type(given).__name__}")
    normal = df is None or (isinstance(df, float) and df == NORMAL)
    if not normal:
        check_number("df", df)
    distribution, options = (norm, {}) if normal else (t, {"df": df})
    values, errors = estimates.to_numpy(), std_errors.reindex(estimates.index).to_numpy()
    # An error of nil, as of a coefficient that is held fixed, makes the statistic infinite or unknown.
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = values / errors
    margin = distribution.ppf((1 + level) / 2, **options) * errors
    return pd.DataFrame(
        {
            "estimate": values,
            "std_error": errors,
            "statistic": statistic,
            "p_value": 2 * distribution.sf(np.abs(statistic), **options),
            "lower": values - margin,
            "upper": values + margin,
        },
        index=estimates.index,
    )


def stars(p_value: float) -> str:
    """Return the stars (显著性星号) of a p value: one below 0.1, two below 0.05, three below 0.01.

    Examples
    --------
    >>> stars(0.04)
    '**'
    """
    if not isinstance(p_value, (float, int, np.number)):
        raise InvalidInputError(f"p_value={p_value!r}: expected a number")
    return "*" * sum(p_value < bound for bound in (0.1, 0.05, 0.01))


class Summary(str):
    """Text for people, which a notebook shows as it is."""

    def __repr__(self) -> str:
        return str(self)


class Result:
    """Base of what methods return: a frozen dataclass with a ``table``.

    ``title`` is the first line of the class's docstring, ``footer`` what the result says of itself beside its table:
    by default the fields that hold one value.
    """

    notes: ClassVar[tuple[str, ...]] = ()
    table: Any

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # Set before the dataclass decorator looks: what it would write is a page of raw frames.
        if "__repr__" not in cls.__dict__:
            cls.__repr__ = cls.__repr__  # type: ignore[method-assign]

    def __getattr__(self, name: str) -> Any:
        new = OLD_NAMES.get(name)
        if new is not None and (new in getattr(type(self), "__dataclass_fields__", {}) or hasattr(type(self), new)):
            return getattr(self, new)
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    @property
    def title(self) -> str:
        """What the result is."""
        return (type(self).__doc__ or type(self).__name__).strip().splitlines()[0].rstrip(".")

    @property
    def footer(self) -> Mapping[str, object]:
        """What stands below the table."""
        found = {}
        for spec in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, spec.name)
            if spec.repr and not spec.name.startswith("_") and isinstance(value, (bool, int, float, str, np.generic)):
                found[spec.name.replace("_", " ")] = value
        return found

    def _below(self) -> list[str]:
        lines = [f"{label}: {footer_value(value)}" for label, value in self.footer.items() if value is not None]
        return [*(line for line in lines if not line.endswith(": ")), *self.notes]

    def _shown(self) -> pd.DataFrame:
        """Return the table that is shown for people."""
        table = self.table
        return table.to_frame() if isinstance(table, pd.Series) else table

    def summary(self) -> Summary:
        """Return the table and what stands below it as text for people."""
        below = ""
        for line in self._below():
            room = len(below) - below.rfind("\n") + len(line) < _WIDTH
            below += ("; " if room else "\n") + line if below else line
        shown = self._shown()
        if shown.empty:
            return Summary("\n".join(filter(None, [self.title, below])))
        return Summary(set_text(write_cells(shown, self.title, None, None), self.title, below))

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        below = "; ".join(self._below())
        shown = self._shown()
        if shown.empty:
            return f"<p>{escape(self.title)}</p><p>{escape(below)}</p>"
        return set_html(write_cells(shown, self.title, None, None), self.title, below)


def footer_value(value: Any, digits: int | None = None) -> str:
    """Return a line below a table as text; truth values in both languages, what is missing as nothing."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes 是" if value else "no 否"
    if isinstance(value, float):
        if not np.isfinite(value):
            return ""
        places = 3 if digits is None else digits
        # A small figure that rounds to zero would say nothing.
        return f"{value:.1e}" if 0 < abs(value) < 0.5 * 10.0**-places else format_number(value, digits)
    return format_number(value) if isinstance(value, int) else str(value)


@dataclass(frozen=True, eq=False)
class Test(Result):
    """Test of a hypothesis.

    Attributes
    ----------
    name, null : str
        Which test, and the hypothesis that a small p value speaks against.
    statistic : float
    df : int or tuple of int, optional
        Degrees of freedom; of F those of numerator and denominator, of a normal statistic none.
    p_value : float
    distribution : str
        ``"chi2"``, ``"F"``, ``"normal"``, ``"t"`` or how else the p value came about.
    settings : dict
        What made the test.
    """

    __test__: ClassVar[bool] = False

    name: str
    null: str
    statistic: float
    df: int | tuple[int, ...] | None
    p_value: float
    distribution: str = "chi2"
    settings: dict = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, name: str, null: str, statistic: float, distribution: str, df: Any = None, settings: dict | None = None
    ) -> Test:
        """Make a test of a statistic with a known distribution; normal and t statistics are tested two-sided."""
        from scipy.stats import chi2, f, norm, t

        p_value = {
            "chi2": lambda: chi2.sf(statistic, df),
            "F": lambda: f.sf(statistic, *df),
            "normal": lambda: 2 * norm.sf(abs(statistic)),
            "t": lambda: 2 * t.sf(abs(statistic), df),
        }[distribution]()
        return cls(name, null, float(statistic), df, float(p_value), distribution, settings or {})

    @property
    def table(self) -> pd.DataFrame:
        """One row: null, statistic, distribution, degrees of freedom and p value."""
        df = ", ".join(map(str, self.df)) if isinstance(self.df, tuple) else self.df
        row = {"statistic": self.statistic, "distribution": self.distribution, "df": df, "p_value": self.p_value}
        return pd.DataFrame([row | {"null": self.null}], index=pd.Index([self.name], name="test"))

    @property
    def title(self) -> str:
        """Which test."""
        return self.name

    @property
    def footer(self) -> Mapping[str, object]:
        """What made the test."""
        return {}


@dataclass(frozen=True, eq=False, kw_only=True)
class Estimates(Result):
    """Estimates of a model.

    Attributes
    ----------
    params : Series
        By name.
    covariance : DataFrame
        Of the estimates; it may hold further parameters.
    nobs, n_units, n_periods : int
        Rows, units and periods.
    df_resid : int
        Rows less coefficients and independent effects.
    df_inference : float, optional
        Degrees of freedom of the t statistics; None for the normal distribution.
    loglik : float, optional
        Log-likelihood at its maximum.
    n_parameters : int, optional
        Parameters that information criteria count.
    level : float
        Of the intervals in ``table``.
    settings : dict
        Variables, effects and conventions that made the result.
    """

    params: pd.Series
    covariance: pd.DataFrame = field(repr=False)
    nobs: int
    n_units: int
    n_periods: int
    df_resid: int
    df_inference: float | None = None
    loglik: float | None = None
    n_parameters: int | None = None
    level: float = 0.95
    settings: dict = field(default_factory=dict, repr=False)

    @property
    def std_errors(self) -> pd.Series:
        """Standard errors (标准误) by name."""
        names = self.params.index
        variances = np.diag(self.covariance.loc[names, names].to_numpy())
        return pd.Series(np.sqrt(variances), index=names, name="std_error")

    @property
    def tstats(self) -> pd.Series:
        """Estimates over their standard errors."""
        return self.table["statistic"].rename("tstat")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p values by Student's distribution of ``df_inference``, or the normal one."""
        return self.table["p_value"].rename("pvalue")

    def conf_int(self, level: float = 0.95) -> pd.DataFrame:
        """Return ``lower`` and ``upper`` of the intervals at a confidence level."""
        return self._table(level)[["lower", "upper"]]

    def _table(self, level: float) -> pd.DataFrame:
        return coefficient_table(self.params, self.std_errors, self.df_inference, level)

    @property
    def table(self) -> pd.DataFrame:
        """See :func:`clusterlib.inference.coefficient_table`."""
        return self._table(self.level)

    @property
    def tests(self) -> Mapping[str, Test]:
        """Tests that belong to the model, by name."""
        return {}

    @property
    def aic(self) -> float:
        """Akaike's information criterion (赤池信息准则), smaller is better."""
        return 2 * self._counted - 2 * self._likelihood

    @property
    def bic(self) -> float:
        """Schwarz's information criterion (贝叶斯信息准则) with ``nobs`` observations, smaller is better."""
        return float(np.log(self.nobs) * self._counted - 2 * self._likelihood)

    @property
    def _counted(self) -> int:
        return len(self.params) if self.n_parameters is None else self.n_parameters

    @property
    def _likelihood(self) -> float:
        return float("nan") if self.loglik is None else self.loglik

    @property
    def footer(self) -> Mapping[str, object]:
        """What stands below the coefficients in a regression table."""
        lines: dict[str, object] = {
            "Observations 观测数": self.nobs,
            "Units 个体数": self.n_units,
            "Periods 期数": self.n_periods,
        }
        if self.loglik is not None:
            lines["Log-likelihood 对数似然"] = self.loglik
        return lines | self._own_footer() | test_lines(self.tests.values())

    def _own_footer(self) -> dict[str, object]:
        """What a class adds to the lines that all have."""
        return {}


def test_lines(tests: Iterable[Test]) -> dict[str, object]:
    """Return a line a test for a regression table: the statistic with its p value in brackets."""
    return {test.name: f"{footer_value(test.statistic, 3)} [p = {test.p_value:.3f}]" for test in tests}


test_lines.__test__ = False  # type: ignore[attr-defined]
