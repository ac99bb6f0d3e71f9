"""Spatial weights (空间权重矩阵): who neighbours whom, by border, distance, economy and jurisdiction."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["base", "borders", "distances", "economy"],
    submod_attrs={
        "borders": ["contiguity", "island_links"],
        "distances": ["great_circle_distances", "inverse_distance", "k_nearest"],
        "economy": ["WithinAcross", "economic_distance", "nested", "within_and_across"],
    },
)
