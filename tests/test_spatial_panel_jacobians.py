"""Log-determinants, traces and solutions by eigenvalues, LU factors and interpolation against dense algebra."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from spatial_panel_cases import nearest, row_standardised, simulated, states

from clusterlib.core.alignment import align_weights, spectral_radius, symmetric_form
from clusterlib.errors import InvalidInputError
from clusterlib.spatial_panel import _likelihood, spatial_panel
from clusterlib.spatial_panel._jacobians import EigenJacobian, InterpolatedJacobian, System, make_jacobian
from clusterlib.spatial_panel._likelihood import cross_trace, gram_traces


def lattice(side: int) -> np.ndarray:
    """Binary rook contiguity of a square lattice: symmetric, real eigenvalues."""
    line = np.eye(side, k=1) + np.eye(side, k=-1)
    return np.kron(line, np.eye(side)) + np.kron(np.eye(side), line)


def distances(n: int) -> np.ndarray:
    """Row-standardised inverse distances: dense."""
    points = np.random.default_rng(4).uniform(size=(n, 2))
    gap = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) + np.eye(n)
    return row_standardised(1 / gap - np.eye(n))


def with_islands(w: np.ndarray) -> np.ndarray:
    w = w.copy()
    w[[2, 5]] = 0
    w[:, 2] = 0
    return w


WEIGHTS = {
    "nearest": nearest(60),
    "lattice": row_standardised(lattice(8)),
    "binary": lattice(7),
    "distances": distances(40),
    "islands": with_islands(nearest(50)),
    "one cycle": np.roll(np.eye(12), 1, axis=1),
    "two blocks": np.kron(np.eye(2), nearest(30)),
}


def aligned(w: np.ndarray):
    return align_weights(csr_array(w), pd.RangeIndex(len(w)))


@pytest.mark.parametrize("name", WEIGHTS)
def test_eigenvalues_factors_and_interpolation_agree_with_dense_determinants(name):
    w = WEIGHTS[name]
    weights, n = aligned(w), len(w)
    eigen, interpolated = EigenJacobian(weights), InterpolatedJacobian(weights)
    bound = 1 / np.abs(np.linalg.eigvals(w)).max()
    for share in (-0.998, -0.9, -0.5, 0.0, 0.3, 0.79, 0.94, 0.998):
        rho = share * bound
        wanted = np.linalg.slogdet(np.eye(n) - rho * w)[1]
        g = w @ np.linalg.inv(np.eye(n) - rho * w)
        for jacobian, tolerance in ((eigen, 1e-9), (interpolated, 1e-7)):
            assert jacobian.log_determinant(rho) == pytest.approx(wanted, rel=tolerance, abs=tolerance)
            assert jacobian.trace(rho) == pytest.approx(np.trace(g), rel=tolerance, abs=10 * tolerance)
            # Second derivatives of an interpolant lose digits at its very ends.
            loose = (1e4 if abs(share) > 0.99 else 100) * tolerance
            assert jacobian.trace(rho, 2) == pytest.approx(np.trace(g @ g), rel=loose, abs=loose)
        assert interpolated.system.factor(rho).log_determinant == pytest.approx(wanted, rel=1e-9, abs=1e-9)


@given(st.integers(0, 10_000), st.floats(-0.99, 0.99))
@settings(max_examples=25, deadline=None)
def test_factors_solve_both_ways_with_sparse_and_dense_weights(seed, rho):
    for w in (nearest(50, 3, seed), nearest(12, 5, seed)):
        factor = System(aligned(w)).factor(rho)
        right = np.random.default_rng(seed).normal(size=(len(w), 3))
        a = np.eye(len(w)) - rho * w
        np.testing.assert_allclose(a @ factor.solve(right), right, atol=1e-10)
        np.testing.assert_allclose(a.T @ factor.solve(right, transposed=True), right, atol=1e-10)


def test_interval_is_that_of_the_eigenvalues_and_never_wider_than_where_the_determinant_is_positive():
    values = np.linalg.eigvalsh(lattice(7))
    assert EigenJacobian(aligned(lattice(7))).interval == pytest.approx((1 / values.min(), 1 / values.max()), rel=1e-5)
    for w in WEIGHTS.values():
        for jacobian in (EigenJacobian(aligned(w)), InterpolatedJacobian(aligned(w))):
            for rho in jacobian.interval:
                assert np.linalg.slogdet(np.eye(len(w)) - rho * w)[0] == 1


def test_method_depends_on_the_number_of_units_and_of_neighbours():
    def method(w) -> str:
        return make_jacobian(aligned(w)).method

    assert [method(nearest(100)), method(nearest(200)), method(distances(200))] == ["eigen", "lu", "eigen"]


def test_a_symmetric_form_is_found_if_and_only_if_there_is_one():
    w = row_standardised(lattice(5))
    form = symmetric_form(csr_array(w))
    np.testing.assert_allclose(np.linalg.eigvalsh(form), np.sort(np.linalg.eigvals(w).real), atol=1e-10)
    assert symmetric_form(csr_array(nearest(20))) is None
    circle = np.roll(np.eye(5), 1, axis=1) * 0.7 + np.roll(np.eye(5), -1, axis=1) * 0.3
    assert symmetric_form(csr_array(circle)) is None


def test_spectral_radius_of_large_weights_is_that_of_their_lattice():
    side = 14
    wanted = 4 * np.cos(np.pi / (side + 1))
    assert spectral_radius(aligned(lattice(side))) == pytest.approx(wanted, rel=1e-6)


def test_weights_without_any_circle_are_refused():
    with pytest.raises(InvalidInputError, match="neighbour of its neighbours"):
        spectral_radius(aligned(np.triu(np.ones((5, 5)), 1)))


def test_estimated_traces_beyond_2000_units_are_close_to_exact_ones(monkeypatch):
    weights = aligned(nearest(700, 6))
    jacobian = EigenJacobian(weights)
    values = (0.7, 0.3)
    pairs = [[cross_trace(jacobian, a, b) for b in values] for a in values]
    exact = gram_traces(jacobian, values, np.array(pairs))
    g, h = (weights.matrix.toarray() @ np.linalg.inv(np.eye(700) - v * weights.matrix.toarray()) for v in values)
    np.testing.assert_allclose(exact, [[(g * g).sum(), (g * h).sum()], [(g * h).sum(), (h * h).sum()]], rtol=1e-10)
    np.testing.assert_allclose(pairs, [[(a * b.T).sum() for b in (g, h)] for a in (g, h)], rtol=1e-8)
    monkeypatch.setattr(_likelihood, "EXACT_UNITS", 100)
    np.testing.assert_allclose(gram_traces(jacobian, values, np.array(pairs)), exact, rtol=3e-3)


def test_a_cross_trace_of_equal_parameters_is_the_limit_of_near_ones():
    jacobian = EigenJacobian(aligned(nearest(30)))
    at = cross_trace(jacobian, 0.4, 0.4)
    assert cross_trace(jacobian, 0.4, 0.4 + 2e-4) == pytest.approx(at, rel=1e-3)
    assert cross_trace(jacobian, 0.4 + 3e-5, 0.4 - 3e-5) == pytest.approx(at, rel=1e-7)


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.85, 0.97])
def test_eigenvalues_and_factors_lead_to_the_same_estimates_wherever_rho_is(rho):
    w = nearest(60, 5)
    panel = simulated(w, 10, rho, seed=7)
    one, other = (
        spatial_panel(panel, "y", ["x1", "x2"], w, "sdm", "twoway", jacobian=method) for method in ("eigen", "lu")
    )
    np.testing.assert_allclose(one.params, other.params, atol=1e-7)
    np.testing.assert_allclose(one.std_errors, other.std_errors, rtol=1e-6)
    assert one.loglik == pytest.approx(other.loglik, abs=1e-6)
    assert one.rho == pytest.approx(rho, abs=0.1)
    tables = [result.impacts(draws=300).table for result in (one, other)]
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-4, atol=1e-7)


def test_3000_units_are_estimated_without_a_dense_matrix():
    from scipy.sparse import diags_array, eye_array, kron
    from scipy.sparse.linalg import spsolve

    rows, columns = 50, 60
    lines = [diags_array([1.0, 1.0], offsets=[-1, 1], shape=(m, m)) for m in (rows, columns)]
    binary = csr_array(kron(lines[0], eye_array(columns)) + kron(eye_array(rows), lines[1]))
    w = csr_array(diags_array(1 / np.asarray(binary.sum(axis=1)).ravel()) @ binary)
    random = np.random.default_rng(0)
    x, noise = random.normal(size=(2, 3000, 4))
    y = spsolve((eye_array(3000) - 0.5 * w).tocsc(), x + noise)
    index = pd.MultiIndex.from_product([range(3000), range(4)])
    panel = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index=index)
    result = spatial_panel(panel, "y", "x", w, "sar", "twoway", "lee-yu")
    assert result.jacobian == "lu"
    assert abs(result.rho - 0.5) < 4 * result.std_errors["rho"]
    # Eigenvalues of a lattice are sums of cosines, but only without row-standardising: check the multiplier instead.
    total = result.impacts(draws=200).table.loc["x", "total"]
    assert total == pytest.approx(result.params["x"] / (1 - result.rho), rel=1e-12)


def test_weights_by_state_are_taken_in_any_order():
    data, w = states()
    shuffled = w.sample(frac=1, random_state=1)
    one = spatial_panel(data, "lgsp", ["lpc", "lemp"], w, "sar", "entity")
    other = spatial_panel(data, "lgsp", ["lpc", "lemp"], shuffled[shuffled.index], "sar", "entity")
    np.testing.assert_allclose(one.params, other.params, rtol=1e-9)


def test_aligned_weights_serve_many_models_and_are_aligned_again_for_other_units():
    w = nearest(12)
    panel, units = simulated(w, 5, 0.3), pd.RangeIndex(12)
    weights = aligned(w)
    assert align_weights(weights, units) is weights
    np.testing.assert_array_equal(align_weights(weights, units[::-1]).matrix.toarray(), w[::-1, ::-1])
    first, second = (spatial_panel(panel, "y", ["x1", "x2"], given, "sdm") for given in (w, weights))
    pd.testing.assert_series_equal(first.params, second.params, check_exact=True)
    with pytest.raises(InvalidInputError, match="have weights but no values"):
        align_weights(weights, units[1:])
