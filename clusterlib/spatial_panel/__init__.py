"""Spatial panel models (空间面板模型) by maximum likelihood, their impacts and tests."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "alignment",
        "design",
        "diagnostics",
        "effect_draws",
        "estimation",
        "hypotheses",
        "information",
        "jacobians",
        "likelihood",
        "results",
        "two_weights",
    ],
    submod_attrs={
        "alignment": ["align_weights"],
        "diagnostics": ["LagrangeMultiplierTests", "lm_tests"],
        "effect_draws": ["Impacts"],
        "estimation": ["BIAS_CORRECTIONS", "MODELS", "spatial_panel"],
        "design": ["EFFECTS"],
        "hypotheses": ["HypothesisTest", "likelihood_ratio_test", "wald_test"],
        "results": ["SpatialPanelResult"],
        "two_weights": ["TwoWeightsResult", "two_weights_sar"],
    },
)
