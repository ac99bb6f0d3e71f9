"""Panels, boundaries, clusters and policies, built once from ``data/raw`` and read from ``data/processed``."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
