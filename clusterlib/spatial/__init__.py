"""Spatial structure (空间结构): autocorrelation, hot spots, transitions, centres, networks and their regressions."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
