"""Difference-in-differences (双重差分法) under staggered adoption, its diagnostics, and synthetic control."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "decomposition",
        "dynamic",
        "exposure",
        "permutation",
        "simplex",
        "staggered",
        "static",
        "synthetic",
        "timing",
        "within",
    ],
    submod_attrs={
        "decomposition": ["GoodmanBacon", "goodman_bacon"],
        "dynamic": ["EventStudy", "event_study"],
        "exposure": ["SpilloverDiD", "spillover_did"],
        "permutation": ["PlaceboTest", "placebo_test"],
        "staggered": ["StaggeredDiD", "staggered_did"],
        "static": ["TwowayDiD", "twoway_did"],
        "synthetic": ["SyntheticControl", "synthetic_control"],
        "timing": ["first_treated"],
    },
)
