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
    from clusterlib.efficiency._envelopment_programs import RadialPrograms, Technology

    from clusterlib.efficiency import _envelopment_bootstrap as envelopment_bootstrap

    random = np.random.default_rng(0)
    inputs, outputs = (np.exp(random.normal(size=(options.units, count))) for count in (2, 3))
    technology = Technology(inputs, outputs, "non-increasing")
    distances = np.maximum(RadialPrograms(inputs, outputs, technology.returns, "output").measure(technology), 1.0)
    smoothing = envelopment_bootstrap.SMOOTHING[0]

    def together() -> np.ndarray:
        return envelopment_bootstrap.bootstrap_output_distances(
            technology, distances, options.draws, np.random.default_rng(1)
        )

    def one_by_one() -> np.ndarray:
        generator = np.random.default_rng(1)
        return envelopment_bootstrap.bootstrap_distances(
            technology, distances, "output", smoothing, options.draws, generator
        ).distances

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
