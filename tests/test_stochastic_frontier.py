"""Stochastic frontiers against R, quadrature, a textbook likelihood in statsmodels, published bounds, known truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import halfnorm, norm

from clusterlib.efficiency import stochastic_frontier
from clusterlib.efficiency._frontier import Likelihood, _mixed_p_value
from clusterlib.errors import InvalidInputError, UnknownNameError

REFERENCE = Path(__file__).parent / "reference"
CASES = json.loads((REFERENCE / "expected" / "stochastic_frontier_produc.json").read_text(encoding="utf-8"))
X = ["lk", "ll", "lu"]


@pytest.fixture(scope="module")
def states() -> pd.DataFrame:
    data = pd.read_csv(REFERENCE / "data" / "produc.csv").sort_values(["state", "year"]).set_index(["state", "year"])
    names = {"ly": "gsp", "lk": "pc", "ll": "emp", "lu": "unemp"}
    return pd.DataFrame({short: np.log(data[name]) for short, name in names.items()})


def simulate(n=400, seed=0, sigma_v=0.2, sigma_u=0.5, sign=1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    data = pd.DataFrame(random.normal(size=(n, 2)), columns=["k", "l"])
    u = np.abs(sigma_u * random.normal(size=n))
    return data.assign(u=u, y=1 + 0.3 * data["k"] + 0.6 * data["l"] + sigma_v * random.normal(size=n) - sign * u)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if isinstance(case, dict)])
def test_estimates_errors_and_efficiencies_equal_r_by_quadrature(states, name):
    span = name.split("_")[1]
    data = states.xs(int(span), level=1) if span.isdigit() else states
    result = stochastic_frontier(data, "ly", X, inefficiency="independent" if span.isdigit() else span)
    case = CASES[name]
    assert result.converged and not result.boundary
    assert result.loglik == pytest.approx(case["loglike"], abs=1e-6)
    assert result.loglike_ols == pytest.approx(case["loglike_ols"], abs=1e-8)
    deviations = result.variances.loc[["sigma_v", "sigma_u"]]
    theta = [*result.params, *np.log(deviations["estimate"])]
    np.testing.assert_allclose(theta, case["theta"], atol=1e-4)
    relative = deviations["std_error"] / deviations["estimate"]
    np.testing.assert_allclose([*result.std_errors, *relative], case["se"], rtol=1e-3)
    np.testing.assert_allclose(result.efficiency["inefficiency"], case["inefficiency"], atol=5e-5)
    np.testing.assert_allclose(result.efficiency["efficiency"], case["efficiency"], atol=5e-5)
    np.testing.assert_allclose(result.efficiency["jlms"], np.exp(-np.array(case["inefficiency"])), atol=5e-5)


@st.composite
def problems(draw):
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    units = draw(st.integers(2, 4))
    unit = np.sort(np.concatenate([np.arange(units), random.integers(units, size=4)]))
    design = np.column_stack([np.ones(len(unit)), random.normal(size=len(unit))])
    likelihood = Likelihood(random.normal(size=len(unit)), design, unit)
    return likelihood, np.array([*random.normal(size=2), *random.uniform(-1, 0.3, size=2)])


def integrals(likelihood: Likelihood, theta: np.ndarray, weight, upper: float = 40.0) -> np.ndarray:
    """By unit, the integral over u of its density, that of the residuals given u, and weight(u)."""
    e = likelihood.y - likelihood.X @ theta[:2]
    nodes, weights = np.polynomial.legendre.leggauss(40)
    cuts = upper * np.linspace(0, 1, 81)[:, None] ** 2
    half = np.diff(cuts, axis=0) / 2
    u, w = (cuts[:-1] + half + half * nodes).ravel(), (half * weights).ravel()
    density, values = w * halfnorm(scale=np.exp(theta[3])).pdf(u), []
    for i in range(likelihood.unit.max() + 1):
        moved = e[likelihood.unit == i][:, None] + u
        values.append((density * norm.pdf(moved, scale=np.exp(theta[2])).prod(axis=0) * weight(u)).sum())
    return np.array(values)


@given(problems())
@settings(max_examples=25, deadline=None)
def test_likelihood_and_expected_inefficiency_equal_integrals_over_it(problem):
    likelihood, theta = problem
    whole = integrals(likelihood, theta, np.ones_like)
    assert likelihood.value(theta) == pytest.approx(np.log(whole).sum(), rel=1e-9, abs=1e-9)
    posterior = likelihood.posterior(theta)
    last = np.flatnonzero(np.diff(np.append(likelihood.unit, 99)))
    np.testing.assert_allclose(
        posterior.inefficiency()[last], integrals(likelihood, theta, lambda u: u) / whole, rtol=1e-7
    )
    np.testing.assert_allclose(
        posterior.efficiency()[last], integrals(likelihood, theta, lambda u: np.exp(-u)) / whole, rtol=1e-7
    )
    inside = integrals(likelihood, theta, np.ones_like, upper=posterior.quantile(0.9)[last[0]])[0]
    assert inside / whole[0] == pytest.approx(0.9, rel=1e-7)


@given(problems())
@settings(max_examples=40, deadline=None)
def test_gradient_equals_differences_of_the_likelihood(problem):
    likelihood, theta = problem
    steps = 1e-6 * np.eye(len(theta))
    differences = [(likelihood.value(theta + h) - likelihood.value(theta - h)) / 2e-6 for h in steps]
    np.testing.assert_allclose(likelihood.gradient(theta), differences, rtol=1e-5, atol=1e-5)


def test_far_tails_neither_overflow_nor_vanish():
    design = np.ones((2, 1))
    likelihood = Likelihood(np.array([-80.0, 80.0]), design, np.arange(2))
    theta = np.array([0.0, np.log(0.1), np.log(0.1)])
    assert np.isfinite(likelihood.value(theta)) and np.isfinite(likelihood.gradient(theta)).all()
    inefficiency = likelihood.posterior(theta).inefficiency()
    # Far above the frontier the truncated normal is exponential with mean (variance / -mean), here 0.01 / 80.
    np.testing.assert_allclose(inefficiency, [40.0, 0.1**2 / 80], rtol=1e-3)
    assert (np.diff(likelihood.posterior(theta).efficiency()) > 0.9).all()


def test_half_normal_equals_the_textbook_likelihood_maximised_by_statsmodels():
    from statsmodels.base.model import GenericLikelihoodModel

    class Textbook(GenericLikelihoodModel):
        def loglikeobs(self, params):
            beta, sigma, ratio = params[:3], np.exp(params[3]), np.exp(params[4])
            e = (self.endog - self.exog @ beta) / sigma
            return np.log(2 / sigma) + norm.logpdf(e) + norm.logcdf(-e * ratio)

    data = simulate(300, seed=4)
    model = Textbook(data["y"], np.column_stack([np.ones(300), data[["k", "l"]]]), extra_params_names=["s", "r"])
    fit = model.fit(start_params=[1, 0, 0, -0.5, 0.5], method="bfgs", disp=0, gtol=1e-8, maxiter=500)
    result = stochastic_frontier(data, "y", ["k", "l"])
    assert result.loglik == pytest.approx(fit.llf, abs=1e-7)
    np.testing.assert_allclose(result.params, fit.params[:3], atol=1e-5)
    np.testing.assert_allclose(result.std_errors, fit.bse[:3], rtol=1e-3)
    assert result.variances.loc["lambda", "estimate"] == pytest.approx(np.exp(fit.params[4]), rel=1e-4)
    assert result.variances.loc["sigma2", "estimate"] == pytest.approx(np.exp(2 * fit.params[3]), rel=1e-4)
    # The errors of functions follow by hand from those of the logarithms.
    lam, s2 = result.variances.loc["lambda"], result.variances.loc["sigma2"]
    assert lam["std_error"] == pytest.approx(lam["estimate"] * fit.bse[4], rel=1e-3)
    assert s2["std_error"] == pytest.approx(2 * s2["estimate"] * fit.bse[3], rel=1e-3)
    gamma = result.variances.loc["gamma"]
    assert gamma["estimate"] == pytest.approx(lam["estimate"] ** 2 / (1 + lam["estimate"] ** 2), rel=1e-9)
    slope = 2 * lam["estimate"] / (1 + lam["estimate"] ** 2) ** 2
    assert gamma["std_error"] == pytest.approx(slope * lam["std_error"], rel=1e-6)


def test_known_frontier_and_inefficiencies_are_found():
    data = simulate(3000, seed=1, sigma_v=0.2, sigma_u=0.6)
    result = stochastic_frontier(data, "y", ["k", "l"], level=0.9)
    truth = pd.Series({"const": 1.0, "k": 0.3, "l": 0.6})
    assert ((result.params - truth).abs() < 4 * result.std_errors).all()
    spread = result.variances.loc[["sigma_v", "sigma_u"]]
    assert ((spread["estimate"] - [0.2, 0.6]).abs() < 4 * spread["std_error"]).all()
    assert result.p_value < 1e-6
    true_efficiency = np.exp(-data["u"])
    assert result.efficiency["efficiency"].corr(true_efficiency) > 0.85
    assert result.efficiency["efficiency"].mean() == pytest.approx(true_efficiency.mean(), abs=0.02)
    inside = true_efficiency.between(result.efficiency["lower"], result.efficiency["upper"]).mean()
    assert inside == pytest.approx(0.9, abs=0.03)


def test_known_inefficiency_that_stays_is_found_in_a_panel_with_gaps():
    random = np.random.default_rng(6)
    index = pd.MultiIndex.from_product([range(250), range(2010, 2018)], names=["adcode", "year"])
    data = pd.DataFrame({"k": random.normal(size=len(index))}, index)
    u = np.abs(0.5 * random.normal(size=250)).repeat(8)
    data["y"] = 2 + 0.5 * data["k"] + 0.2 * random.normal(size=len(index)) - u
    kept = data.sample(frac=0.8, random_state=1)
    result = stochastic_frontier(kept, "y", "k", inefficiency="invariant")
    assert ((result.params - pd.Series({"const": 2.0, "k": 0.5})).abs() < 4 * result.std_errors).all()
    assert result.variances.loc["sigma_u", "estimate"] == pytest.approx(0.5, abs=0.1)
    pd.testing.assert_index_equal(result.efficiency.index, kept.index)
    one = result.efficiency["inefficiency"].xs(7, level=0)
    assert len(one) > 1 and (one == one.iloc[0]).all()
    assert (result.n_units, result.n_periods, result.nobs, result.df_resid) == (250, 8, len(kept), len(kept) - 2)


@given(seed=st.integers(0, 500), scale=st.sampled_from([0.01, 3.0, 1000.0]))
@settings(max_examples=8, deadline=None)
def test_units_of_measure_and_row_order_change_nothing_else(seed, scale):
    data = simulate(150, seed=seed, sigma_u=0.8)
    base = stochastic_frontier(data, "y", ["k", "l"])
    moved = data.assign(k=scale * data["k"] + 5, y=scale * data["y"] - 2).sample(frac=1, random_state=seed)
    other = stochastic_frontier(moved, "y", ["k", "l"])
    assert other.converged == base.converged
    if not base.converged:  # the likelihood grows without end, so that where the search stops is arbitrary
        return
    assert other.params["k"] == pytest.approx(base.params["k"], abs=1e-5)
    assert other.params["l"] / scale == pytest.approx(base.params["l"], abs=1e-5)
    constant = scale * base.params["const"] - 2 - 5 * other.params["k"]
    assert other.params["const"] == pytest.approx(constant, abs=1e-4 * scale)
    assert other.statistic == pytest.approx(base.statistic, abs=1e-6)
    np.testing.assert_allclose(
        other.efficiency["inefficiency"].loc[data.index] / scale, base.efficiency["inefficiency"], atol=1e-5
    )


def test_residuals_skewed_the_wrong_way_give_least_squares_and_say_so():
    data = simulate(100, seed=2, sign=-1)
    result = stochastic_frontier(data, "y", ["k", "l"])
    assert (result.converged, result.boundary, result.statistic, result.p_value) == (False, True, 0, 1)
    assert result.skewness > 0 and "wrong way" in result.message and result.message in result.summary()
    design = np.column_stack([np.ones(100), data[["k", "l"]]])
    beta, rss = np.linalg.lstsq(design, data["y"], rcond=None)[:2]
    np.testing.assert_allclose(result.params, beta, rtol=1e-9)
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * rss[0] / 100)
    np.testing.assert_allclose(result.std_errors, errors, rtol=1e-9)
    assert result.variances.loc[["sigma_u", "gamma", "lambda"], "estimate"].tolist() == [0, 0, 0]
    assert result.variances.loc["sigma_v", "estimate"] == pytest.approx((rss[0] / 100) ** 0.5)
    assert result.variances.loc["sigma_v", "std_error"] == pytest.approx((rss[0] / 100 / 200) ** 0.5)
    assert (result.efficiency[["efficiency", "lower", "upper", "jlms"]] == 1).all(axis=None)
    assert (result.efficiency["inefficiency"] == 0).all()


def test_a_likelihood_that_grows_as_noise_vanishes_is_not_called_converged():
    result = stochastic_frontier(simulate(150, seed=294, sigma_u=0.8), "y", ["k", "l"])
    assert not result.converged and not result.boundary and "without noise" in result.message
    assert result.variances.loc["gamma", "estimate"] == pytest.approx(1, abs=1e-6)
    assert result.std_errors.isna().all()


def test_mixed_p_values_give_the_bounds_of_kodde_and_palm():
    # Their table 1, one restriction, 5 % and 1 %.
    assert _mixed_p_value(2.706) == pytest.approx(0.05, abs=2e-5)
    assert _mixed_p_value(5.412) == pytest.approx(0.01, abs=2e-5)
    assert _mixed_p_value(0.0) == 1


def test_without_inefficiency_half_of_the_samples_are_least_squares_and_few_reject():
    results = [stochastic_frontier(simulate(80, seed=100 + i, sigma_u=0), "y", ["k", "l"]) for i in range(60)]
    # Of 60 samples, 30 are expected on the bound (deviation 3.9) and 3 to reject (deviation 1.7).
    assert 19 <= sum(result.boundary for result in results) <= 41
    assert sum(result.p_value <= 0.05 for result in results) <= 8


DATA = simulate(40)


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (DATA, {"inefficiency": "moving"}, "unknown inefficiency 'moving'"),
        (DATA, {"level": 95}, "level"),
        (DATA, {"x": ["k", "m"]}, "unknown column 'm'"),
        (DATA, {"x": ["k", "k"]}, "given twice"),
        (DATA, {"inefficiency": "invariant"}, "index of two levels"),
        (DATA.assign(l=2 * DATA["k"]), {}, "collinear with the other variables: l"),
        (DATA.assign(l=1.0), {}, "same value everywhere: l"),
        (DATA.assign(l=0.3 + 0.1 * (DATA["k"] > 0) - 0.1 * (DATA["k"] > 0)), {}, "same value everywhere: l"),
        (DATA.assign(y=1.0), {}, "same value everywhere: y"),
        (DATA.assign(y=DATA["k"] - 2 * DATA["l"]), {}, "the inputs determine 'y'"),
        (DATA.assign(k=DATA["k"].where(DATA["k"] > 0)), {}, "missing or infinite"),
        (DATA.iloc[:6], {}, "too few"),
    ],
)
def test_what_cannot_be_estimated_is_refused_with_what_to_do(data, options, words):
    arguments = {"y": "y", "x": ["k", "l"]} | options
    with pytest.raises((InvalidInputError, UnknownNameError), match=words):
        stochastic_frontier(data, **arguments)


def test_the_result_has_the_protocol_of_estimates_and_shows_its_variances():
    from clusterlib.core.results import Estimates

    result = stochastic_frontier(DATA, "y", ["k", "l"], level=0.9)
    assert isinstance(result, Estimates)
    assert result.table.index.tolist() == result.covariance.index.tolist() == ["const", "k", "l"]
    assert result.table[["lower", "upper"]].equals(result.conf_int(0.9))
    test = result.tests["inefficiency"]
    assert (test.statistic, test.p_value) == (result.statistic, result.p_value)
    assert (result.nobs, result.n_units, result.n_periods, result.df_resid) == (40, 40, 1, 37)
    assert result.aic == pytest.approx(2 * 5 - 2 * result.loglik)
    for word in "const k l sigma_v sigma_u sigma2 gamma lambda".split():
        assert word in result.summary()
