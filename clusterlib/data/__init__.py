"""Panels, boundaries, clusters and policies, built once from ``data/raw`` and read from ``data/processed``."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["aggregate", "assemble", "audit", "boundaries", "catalogue", "load", "processed", "raw", "schemas"],
    submod_attrs={
        "aggregate": ["load_region_totals"],
        "processed": ["build", "data_hashes", "read_manifest"],
        "load": [
            "indicator_catalogue",
            "load_boundaries",
            "load_clusters",
            "load_national_line",
            "load_panel",
            "load_policies",
            "load_sources",
            "load_units",
            "trace",
        ],
    },
)
