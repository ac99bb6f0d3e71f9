"""Regional inequality (区域差异): Gini, Dagum and Theil decompositions, convergence, and distributions over time."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "clubs",
        "dagum",
        "dagum_parts",
        "dagum_periods",
        "density",
        "dispersion",
        "growth",
        "indices",
        "log_t",
        "samples",
    ],
    submod_attrs={
        "clubs": ["ClubConvergence", "club_convergence"],
        "dagum": ["DagumGini", "dagum_gini"],
        "dagum_periods": ["DagumByPeriod", "dagum_gini_by"],
        "density": ["KernelDensity", "kernel_density"],
        "dispersion": ["SigmaConvergence", "sigma_convergence"],
        "growth": ["BetaConvergence", "beta_convergence"],
        "indices": ["Theil", "gini", "theil"],
        "log_t": ["LogT", "log_t_test"],
    },
)
