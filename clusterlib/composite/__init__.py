"""Composite indices (综合指数): weights, the index and its obstacles, TOPSIS, coupling coordination, sensitivity."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
