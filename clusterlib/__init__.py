"""Regional indicators and methods for the study of China's digital industry clusters (数字产业集群)."""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
