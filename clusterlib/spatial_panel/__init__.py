"""Spatial panel models (空间面板模型) by maximum likelihood, their impacts and tests."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
