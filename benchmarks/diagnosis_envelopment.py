"""The bootstrap of data envelopment: all programs side by side against HiGHS, in one process.

Prints the times, their ratio and how far the answers lie apart; ends with an error if they differ.

    .venv/bin/python benchmarks/diagnosis_envelopment.py [--units 30] [--draws 100] [--repeats 3]
"""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import version

import numpy as np
from timing import best


def main() -> None:
    """Time both and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {"units": 30, "draws": 100, "repeats": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    from clusterlib.efficiency._envelopment import RadialPrograms, Technology, pseudo_distances, smoothed_draw
    from clusterlib.efficiency._envelopment import normal_reference_bandwidth as bandwidth_of

    random = np.random.default_rng(0)
    inputs, outputs = (np.exp(random.normal(size=(options.units, count))) for count in (2, 3))
    technology = Technology(inputs, outputs, "non-increasing")
    distances = np.maximum(RadialPrograms(inputs, outputs, technology.returns, "output").measure(technology), 1.0)

    def draw() -> np.ndarray:
        generator, bandwidth = np.random.default_rng(1), bandwidth_of(distances)
        return np.array([smoothed_draw(distances, bandwidth, "reflected", generator) for _ in range(options.draws)])

    def together() -> np.ndarray:
        return pseudo_distances(technology, distances, draw(), "output")

    def one_by_one() -> np.ndarray:
        programs = RadialPrograms(inputs, outputs, technology.returns, "output")
        made = (outputs * (distances / drawn)[:, None] for drawn in draw())
        return np.array([programs.measure(Technology(inputs, part, technology.returns)) for part in made])

    ours, found = best(options.repeats, together)
    theirs, expected = best(options.repeats, one_by_one)
    apart = float(np.abs(found / expected - 1).max())
    print(f"Python {platform.python_version()}, numpy {version('numpy')}, scipy {version('scipy')}")
    print(f"{options.units} units, {options.draws} draws, best of {options.repeats}")
    print(f"side by side {ours:8.3f} s\nHiGHS        {theirs:8.3f} s\nratio        {theirs / ours:8.1f}")
    print(f"largest relative difference {apart:.1e}")
    if apart > 1e-7:
        raise SystemExit("the answers differ")


if __name__ == "__main__":
    main()
