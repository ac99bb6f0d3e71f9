"""Simulations where the truth is known: spatial Durbin models, static and dynamic, and the threshold test.

Run: ``python benchmarks/monte_carlo.py``; the parts take options of their own.
"""

from __future__ import annotations

import monte_carlo_dynamic
import monte_carlo_spatial_durbin
import monte_carlo_threshold


def main() -> None:
    """Run every part with its defaults."""
    for part in (monte_carlo_spatial_durbin, monte_carlo_dynamic, monte_carlo_threshold):
        print(f"\n{part.__doc__.splitlines()[0]}", flush=True)
        part.main()


if __name__ == "__main__":
    main()
