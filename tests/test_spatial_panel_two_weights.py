"""The spatial lag within and across borders against a plain dense likelihood, and identities that must hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from spatial_panel_cases import nearest, simulated

from clusterlib.errors import InvalidInputError
from clusterlib.spatial_panel import likelihood_ratio_test, spatial_panel, two_weights_sar, wald_test
from clusterlib.spatial_panel._two_weights import _admissible

X = ["x1", "x2"]
RHOS = ["rho_within", "rho_across"]


def parts(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Row-standardised neighbours in the same and in another of three provinces."""
    w, province = nearest(n, 5, seed), np.random.default_rng(seed).integers(0, 3, n)
    same = np.equal.outer(province, province)
    return np.where(same, w, 0), np.where(same, 0, w)


def drawn(pair, rhos=(0.5, 0.1), periods: int = 8, seed: int = 0) -> pd.DataFrame:
    n = len(pair[0])
    return simulated(rhos[0] * pair[0] + rhos[1] * pair[1], periods, 1.0, theta=(0.0, 0.0), seed=seed) if n else None


def plain_loglik(values: np.ndarray, y: np.ndarray, x: np.ndarray, pair, periods: int) -> float:
    """Log-likelihood of all parameters: both rhos, coefficients of x (with dummies) and the logarithm of sigma2."""
    n = len(pair[0])
    s = np.eye(n) - values[0] * pair[0] - values[1] * pair[1]
    sign, determinant = np.linalg.slogdet(s)
    if sign <= 0:
        return -1e10
    error = (s @ y).ravel() - x @ values[2:-1]
    m = n * periods
    squares = error @ error
    return periods * determinant - m / 2 * (np.log(2 * np.pi) + values[-1]) - squares / (2 * np.exp(values[-1]))


def dummies(n: int, periods: int, effects: str) -> np.ndarray:
    units, times = np.kron(np.eye(n), np.ones((periods, 1))), np.kron(np.ones((n, 1)), np.eye(periods))
    one = np.ones((n * periods, 1))
    return {"none": one, "entity": units, "time": times, "twoway": np.hstack([units, times[:, 1:]])}[effects]


@pytest.mark.parametrize("effects", ["none", "entity", "time", "twoway"])
def test_estimates_are_the_maximum_of_the_plain_likelihood_with_dummies(effects):
    pair = parts(12, 1)
    panel = drawn(pair, periods=6)
    result = two_weights_sar(panel, "y", X, *pair, effects)
    y = panel["y"].to_numpy().reshape(12, 6)
    x = np.hstack([panel[X].to_numpy(), dummies(12, 6, effects)])

    def profile(rhos: np.ndarray) -> tuple[float, np.ndarray]:
        left = ((np.eye(12) - rhos[0] * pair[0] - rhos[1] * pair[1]) @ y).ravel()
        beta = np.linalg.lstsq(x, left, rcond=None)[0]
        values = np.concatenate([rhos, beta, [np.log(((left - x @ beta) ** 2).mean())]])
        return plain_loglik(values, y, x, pair, 6), values

    found = minimize(
        lambda r: -profile(r)[0], [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}
    )
    loglik, values = profile(found.x)
    assert result.loglik == pytest.approx(loglik, abs=1e-8)
    np.testing.assert_allclose(result.params[RHOS], found.x, atol=1e-6)
    np.testing.assert_allclose(result.params[X], values[2:4], atol=1e-6)
    assert result.sigma2 == pytest.approx(np.exp(values[-1]), rel=1e-6)
    assert result.n_parameters == len(values)
    assert (result.loglike, result.aic) == (result.loglik, pytest.approx(2 * len(values) - 2 * loglik))


def test_one_rho_for_both_weights_is_the_model_of_their_sum():
    pair = parts(40, 2)
    panel = drawn(pair, (0.4, 0.4), 10)
    both, one = (
        two_weights_sar(panel, "y", X, *pair, "twoway"),
        spatial_panel(panel, "y", X, sum(pair), "sar", "twoway"),
    )
    assert both.loglik >= one.loglik
    assert 2 * (both.loglik - one.loglik) == pytest.approx(both.equality_test().statistic, rel=0.2, abs=0.05)
    assert both.loglik_linear == pytest.approx(one.loglik_linear, abs=1e-9)
    # The information of both rhos, contracted, is that of their common rho.
    k = len(both.params) - 2
    contract = np.zeros((k + 2, k + 3))
    contract[:k, :k], contract[k, k : k + 2], contract[k + 1, -1] = np.eye(k), 1, 1
    information = contract @ np.linalg.inv(both.covariance.to_numpy()) @ contract.T
    np.testing.assert_allclose(np.sqrt(np.diag(np.linalg.inv(information)))[:-1], one.std_errors, rtol=0.05)


def plain_information(values: np.ndarray, x: np.ndarray, pair, periods: int) -> np.ndarray:
    """Expected information of both rhos, the coefficients of x (with dummies) and sigma2."""
    n, rhos, sigma2 = len(pair[0]), values[:2], np.exp(values[-1])
    inverse = np.linalg.inv(np.eye(n) - rhos[0] * pair[0] - rhos[1] * pair[1])
    g = [w @ inverse for w in pair]
    means = np.column_stack([(m @ (x @ values[2:-1]).reshape(n, periods)).ravel() for m in g])
    columns = np.hstack([means, x])
    information = np.zeros((len(values), len(values)))
    information[:-1, :-1] = columns.T @ columns / sigma2
    for a in range(2):
        for b in range(2):
            information[a, b] += periods * np.trace(g[a] @ g[b] + g[a].T @ g[b])
        information[a, -1] = information[-1, a] = periods * np.trace(g[a]) / sigma2
    information[-1, -1] = n * periods / 2 / sigma2**2
    return information


@pytest.mark.parametrize("effects", ["none", "entity", "time", "twoway"])
def test_errors_are_those_of_the_information_with_dummies(effects):
    pair = parts(12, 1)
    panel = drawn(pair, periods=6)
    result = two_weights_sar(panel, "y", X, *pair, effects)
    y, x = panel["y"].to_numpy().reshape(12, 6), np.hstack([panel[X].to_numpy(), dummies(12, 6, effects)])
    left = ((np.eye(12) - result.rho_within * pair[0] - result.rho_across * pair[1]) @ y).ravel()
    beta = np.linalg.lstsq(x, left, rcond=None)[0]
    values = np.array([result.rho_within, result.rho_across, *beta, np.log(result.sigma2)])
    errors = np.sqrt(np.diag(np.linalg.inv(plain_information(values, x, pair, 6))))
    np.testing.assert_allclose(result.std_errors[[*RHOS, *X]], errors[:4], rtol=1e-7)
    assert result.covariance.loc["sigma2", "sigma2"] ** 0.5 == pytest.approx(errors[-1], rel=1e-7)


def test_information_is_minus_the_mean_curvature_of_the_likelihood():
    pair, random = parts(10, 3), np.random.default_rng(0)
    x = np.hstack([random.normal(size=(40, 2)), np.ones((40, 1))])
    truth = np.array([0.4, 0.1, 1.0, -0.5, 0.3, np.log(0.5)])
    s = np.eye(10) - truth[0] * pair[0] - truth[1] * pair[1]
    h = 1e-4
    steps = h * np.eye(6)

    def curvature(y: np.ndarray) -> list:
        def at(step):
            return plain_loglik(truth + step, y, x, pair, 4)

        return [[(at(a + b) - at(a - b) - at(b - a) + at(-a - b)) / (4 * h**2) for b in steps] for a in steps]

    mean = (x @ truth[2:5]).reshape(10, 4)
    draws = [np.linalg.solve(s, mean + 0.5**0.5 * random.normal(size=(10, 4))) for _ in range(300)]
    observed = -np.mean([curvature(y) for y in draws], axis=0)
    information = plain_information(truth, x, pair, 4)
    # The likelihood above is in the logarithm of sigma2, of which sigma2 = 0.5 is the derivative.
    information[-1] *= 0.5
    information[:, -1] *= 0.5
    scale = np.sqrt(np.outer(np.diag(information), np.diag(information)))
    np.testing.assert_allclose(observed / scale, information / scale, atol=0.08)


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_impacts_are_those_of_the_dense_inverse_and_their_spread_that_of_the_draws(seed):
    pair = parts(10, seed)
    result = two_weights_sar(drawn(pair, (0.4, 0.2), 8, seed), "y", X, *pair, "entity")
    impacts = result.impacts(draws=300, seed=seed)
    names = [*X, *RHOS]
    covariance = result.covariance.loc[names, names].to_numpy()
    values = result.params[names].to_numpy()
    draws = values + np.random.default_rng(seed).normal(size=(300, 4)) @ np.linalg.cholesky(covariance).T
    rows = []
    for row in (values, *draws):
        inverse = np.linalg.inv(np.eye(10) - row[2] * pair[0] - row[3] * pair[1])
        rows.append([row[0] * np.trace(inverse) / 10, row[0] * inverse.sum() / 10])
    np.testing.assert_allclose(impacts.table.loc["x1", ["direct", "total"]], rows[0], rtol=1e-9)
    if impacts.rejected == 0:
        np.testing.assert_allclose(
            impacts.table.loc["x1", ["direct_se", "total_se"]], np.std(rows[1:], axis=0, ddof=1), rtol=1e-6
        )


def test_equality_test_is_the_squared_gap_over_its_variance_and_finds_a_border():
    pair = parts(40)
    result = two_weights_sar(drawn(pair, (0.6, 0.1), 12), "y", X, *pair, "twoway")
    v = result.covariance
    variance = v.loc["rho_within", "rho_within"] + v.loc["rho_across", "rho_across"]
    variance -= 2 * v.loc["rho_within", "rho_across"]
    test = result.equality_test()
    assert test.statistic == pytest.approx((result.rho_within - result.rho_across) ** 2 / variance)
    assert test.p_value < 0.001
    alike = two_weights_sar(drawn(pair, (0.4, 0.4), 12, seed=3), "y", X, *pair, "twoway")
    assert alike.equality_test().p_value > 0.05
    assert list(result.table.index) == [*X, *RHOS]


def test_admissible_values_are_those_with_a_spectral_radius_below_one():
    pair = np.stack(parts(9, 4))
    random = np.random.default_rng(0)
    rhos = random.uniform(-1.3, 1.3, (300, 2))
    radius = [np.abs(np.linalg.eigvals(abs(a) * pair[0] + abs(b) * pair[1])).max() for a, b in rhos]
    assert _admissible(pair, rhos).tolist() == [r < 1 for r in radius]
    line = np.array([[[0.0, 1.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert _admissible(line, np.array([[1.0, 0.0], [0.5, 0.0]])).tolist() == [False, True]


def test_order_of_rows_does_not_matter_and_residuals_keep_it():
    pair = [pd.DataFrame(part, range(12), range(12)) for part in parts(12)]
    panel = drawn(parts(12))
    rows = panel.sample(frac=1, random_state=1)
    one, other = (two_weights_sar(frame, "y", X, *pair, "twoway") for frame in (panel, rows))
    np.testing.assert_allclose(one.params, other.params, rtol=1e-8)
    np.testing.assert_allclose(other.fitted + other.residuals, rows["y"], rtol=1e-12)


def test_more_than_2000_units_are_refused(monkeypatch):
    from clusterlib.spatial_panel import _two_weights as two_weights

    monkeypatch.setattr(two_weights, "DENSE_UNITS", 10)
    pair = parts(12)
    with pytest.raises(InvalidInputError, match="at most 10"):
        two_weights_sar(drawn(pair), "y", X, *pair)


def test_tests_of_nested_models_hold_for_the_common_weights():
    pair = parts(20)
    panel = drawn(pair, (0.5, 0.5), 8, 2)
    one = spatial_panel(panel, "y", X, sum(pair), "sar", "entity")
    assert likelihood_ratio_test(one).statistic == pytest.approx(2 * (one.loglik - one.loglik_linear))
    assert wald_test(one, "rho").p_value < 0.001
