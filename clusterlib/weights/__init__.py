"""Spatial weights (空间权重矩阵): who neighbours whom, by border, distance, economy and jurisdiction."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
