"""Composite indices (综合指数): weights, the index and its obstacles, TOPSIS, coupling coordination, sensitivity."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["coupling", "index", "normalisation", "ranking", "robustness", "weighting"],
    submod_attrs={
        "coupling": ["COORDINATION_GRADES", "Coordination", "coupling_coordination"],
        "index": ["CompositeIndex", "composite_index", "obstacle_degree"],
        "normalisation": ["normalise"],
        "ranking": ["Topsis", "topsis"],
        "robustness": ["Sensitivity", "sensitivity"],
        "weighting": [
            "WEIGHTING",
            "PrincipalComponents",
            "critic_weights",
            "entropy_weights",
            "pca_weights",
            "principal_components",
        ],
    },
)
