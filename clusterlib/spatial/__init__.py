"""Spatial structure (空间结构): autocorrelation, hot spots, transitions, centres, networks and their regressions."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "alignment",
        "autocorrelation",
        "centrography",
        "gravity",
        "hotspots",
        "lisa",
        "markov",
        "qap",
        "randomise",
    ],
    submod_attrs={
        "autocorrelation": [
            "GlobalMoran",
            "MoranOverTime",
            "MoranScatter",
            "global_moran",
            "moran_over_time",
            "moran_scatter",
        ],
        "centrography": ["DeviationalEllipse", "MeanCentre", "deviational_ellipse", "mean_centre"],
        "gravity": ["GravityNetwork", "gravity_network"],
        "hotspots": ["GetisOrd", "getis_ord"],
        "lisa": ["LocalMoran", "local_moran"],
        "markov": ["SpatialMarkov", "spatial_markov"],
        "qap": ["QapRegression", "qap_regression"],
    },
)
