"""The smoothed bootstrap of data envelopment: bias and intervals of each unit's distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clusterlib.efficiency._envelopment_programs import RadialPrograms, Technology
from clusterlib.efficiency._envelopment_simplex import FROM_NOTHING, largest_expansions
from clusterlib.errors import InvalidInputError

SMOOTHING = ("reflected", "simar-wilson")
EFFICIENT = 1 + 1e-7


@dataclass(frozen=True)
class BootstrapDistances:
    """Distances of the units (columns) from the frontier of each pseudo-sample (rows), and the bandwidth."""

    distances: np.ndarray
    bandwidth: float


def normal_reference_bandwidth(distances: np.ndarray) -> float:
    """Return Silverman's bandwidth of the distances above one with their reflections, scaled to all of them.

    ``0.9 min(deviation, interquartile range / 1.34) m^(-1/5)`` of these m values, times ``(m / n)^(1/5)`` and the
    ratio of the deviations. Distances of exactly one are left out: so many of them are an artefact of the estimate.

    Raises
    ------
    InvalidInputError
        If fewer than two units lie off the frontier.
    """
    off = distances[distances > EFFICIENT]
    if len(off) < 2:
        raise InvalidInputError(
            f"{len(off)} of {len(distances)} units lie off the frontier: too few to bootstrap from; take more units or "
            "fewer inputs and outputs"
        )
    reflected = np.concatenate([off, 2 - off])
    quartiles = np.percentile(reflected, [25, 75])
    spread = reflected.std(ddof=1)
    own = 0.9 * min(spread, (quartiles[1] - quartiles[0]) / 1.34) * len(reflected) ** -0.2
    return float(own * (len(reflected) / len(distances)) ** 0.2 * distances.std(ddof=1) / spread)


def smoothed_draw(distances: np.ndarray, bandwidth: float, smoothing: str, random: np.random.Generator) -> np.ndarray:
    """Draw distances from their smoothed distribution, reflected at one.

    Smoothing adds variance, which is taken back by shrinking: towards the mean of the draw as Simar and Wilson (1998)
    have it, which leaves no draw close to one, or towards one, the mean of the sample and its reflection.
    """
    chosen = distances[random.integers(len(distances), size=len(distances))]
    moved = chosen + bandwidth * random.standard_normal(len(distances))
    moved = np.where(moved < 1, 2 - moved, moved)
    if smoothing == "simar-wilson":
        return chosen.mean() + (moved - chosen.mean()) / np.sqrt(1 + bandwidth**2 / distances.var())
    return 1 + (moved - 1) / np.sqrt(1 + bandwidth**2 / ((distances - 1) ** 2).mean())


def bootstrap_distances(
    technology: Technology,
    distances: np.ndarray,
    orientation: str,
    smoothing: str,
    draws: int,
    random: np.random.Generator,
) -> BootstrapDistances:
    """Measure the units against frontiers of pseudo-samples in which each keeps its mix and draws a new distance."""
    bandwidth = normal_reference_bandwidth(distances)
    inputs, outputs = technology.inputs, technology.outputs
    programs = RadialPrograms(inputs, outputs, technology.returns, orientation)
    measured = []
    for _ in range(draws):
        new = smoothed_draw(distances, bandwidth, smoothing, random)
        factor = (new / distances)[:, None]
        pseudo = (inputs * factor, outputs) if orientation == "input" else (inputs, outputs / factor)
        farrell = programs.measure(Technology(*pseudo, technology.returns))
        measured.append(1 / farrell if orientation == "input" else farrell)
    return BootstrapDistances(np.array(measured), bandwidth)


def bootstrap_output_distances(
    technology: Technology, distances: np.ndarray, draws: int, random: np.random.Generator
) -> np.ndarray:
    """Measure as :func:`bootstrap_distances` with outputs and reflected smoothing, all pseudo-samples side by side.

    The same draws, and up to rounding the same distances, some ten times faster; but memory grows with the number of
    draws and the square of the number of units.
    """
    if technology.returns not in FROM_NOTHING:
        return bootstrap_distances(technology, distances, "output", "reflected", draws, random).distances
    bandwidth = normal_reference_bandwidth(distances)
    drawn = np.array([smoothed_draw(distances, bandwidth, "reflected", random) for _ in range(draws)])
    pseudo = technology.outputs * (distances / drawn)[:, :, None]
    return largest_expansions(technology.inputs, technology.outputs, pseudo, technology.returns)


def corrected_efficiency(distances: np.ndarray, draws: np.ndarray, level: float) -> dict[str, np.ndarray]:
    """Return bias-corrected efficiencies and their basic bootstrap intervals, worked out in distances and inverted."""
    error = draws - distances
    low, high = np.quantile(error, [(1 - level) / 2, (1 + level) / 2], axis=0)
    corrected = 1 / (distances - error.mean(axis=0))
    return {
        "corrected": corrected,
        "bias": 1 / distances - corrected,
        "lower": 1 / (distances - low),
        "upper": 1 / (distances - high),
    }
