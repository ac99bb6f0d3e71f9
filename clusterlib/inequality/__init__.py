"""Regional inequality (区域差异): Gini, Dagum and Theil decompositions, convergence, and distributions over time."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
