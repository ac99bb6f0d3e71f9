"""Scenarios (情景模拟): the four remedies as counterfactuals from estimated models, and cases of single cities."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "assumptions",
        "borders",
        "cases",
        "changes",
        "durbin",
        "estimates",
        "outcome",
        "propagation",
        "remedies",
        "resampling",
    ],
    submod_attrs={
        "borders": ["BorderResponse", "border_response"],
        "cases": [
            "CASES",
            "Case",
            "case_control",
            "case_paths",
            "case_profile",
            "case_start",
            "check_case",
            "field_clusters",
            "led_clusters",
        ],
        "durbin": ["DurbinResponse", "durbin_response"],
        "estimates": [
            "MEASURES",
            "SAMPLES",
            "VARIANTS",
            "WEIGHTS",
            "BorderModel",
            "ProvinceModel",
            "border_model",
            "province_model",
        ],
        "outcome": ["Scenario"],
        "propagation": ["propagate"],
        "remedies": ["REMEDIES", "simulate"],
        "resampling": ["cluster_covariance"],
    },
)
