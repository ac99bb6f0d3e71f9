"""Efficiency (效率测度): data envelopment analysis and stochastic frontiers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "envelopment",
        "envelopment_bootstrap",
        "envelopment_programs",
        "envelopment_simplex",
        "frontier",
        "frontier_likelihood",
        "frontier_maximum",
    ],
    submod_attrs={
        "envelopment": ["EnvelopmentResult", "data_envelopment"],
        "frontier": ["FrontierResult", "stochastic_frontier"],
    },
)
