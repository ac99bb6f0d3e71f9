"""The measures beside their naive versions, one after the other: Dagum, entropy index, local Moran.

Run: ``python benchmarks/measures.py``; the parts take options of their own.
"""

from __future__ import annotations

import measures_dagum
import measures_entropy
import measures_local_moran


def main() -> None:
    """Run every part with its defaults."""
    for part in (measures_dagum, measures_entropy, measures_local_moran):
        print(f"\n{part.__doc__.splitlines()[0]}", flush=True)
        part.main()


if __name__ == "__main__":
    main()
