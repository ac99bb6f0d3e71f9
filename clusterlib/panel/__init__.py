"""Panel models (面板模型): fixed and random effects, instruments, mediation, thresholds and the tests between them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "covariance",
        "design",
        "first_stage",
        "indirect",
        "instruments",
        "regression",
        "specification",
        "threshold",
        "threshold_model",
        "threshold_search",
        "variance_components",
    ],
    submod_attrs={
        "indirect": ["MediationResult", "mediation"],
        "instruments": ["InstrumentalResult", "instrumental_variables"],
        "regression": ["PanelResult", "fixed_effects"],
        "specification": ["PanelTest", "breusch_pagan_test", "effects_test", "hausman_test", "pesaran_cd"],
        "threshold": ["ThresholdResult", "panel_threshold"],
        "variance_components": ["random_effects"],
    },
)
