"""Agglomeration (集聚): location quotients, concentration, specialisation, city sizes, economic complexity."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["cities", "complexity", "concentration", "quotients", "specialisation"],
    submod_attrs={
        "cities": ["RankSize", "primacy", "rank_size"],
        "complexity": ["EconomicComplexity", "Relatedness", "economic_complexity", "relatedness"],
        "concentration": ["ConcentrationTest", "EllisonGlaeser", "concentration_test", "ellison_glaeser"],
        "quotients": ["QuotientIntervals", "location_quotient", "location_quotient_interval"],
        "specialisation": ["herfindahl", "krugman_specialisation", "variety"],
    },
)
