"""Diagnosis (症候诊断): the four syndromes that hold clusters back, each as a model with a severity of 0 to 100."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "architecture", "assessment", "comparison", "dormancy", "governance", "indicators", "isolation", "pairs",
        "severity", "shocks",
    ],
    submod_attrs={
        "architecture": ["architecture_imbalance"],
        "assessment": ["Diagnosis", "Syndromes", "diagnose", "measure_syndromes", "region_cities", "with_coordination"],
        "dormancy": ["data_dormancy", "frontier_check", "output_frontier"],
        "governance": ["border_spillovers", "governance_imbalance", "load_growth_panel"],
        "isolation": ["ecosystem_isolation", "link_indicators"],
        "pairs": ["PairCorrelations", "pair_correlations"],
        "severity": ["SYNDROMES", "Severity"],
        "shocks": ["SharedShocksResult"],
    },
)  # fmt: skip
