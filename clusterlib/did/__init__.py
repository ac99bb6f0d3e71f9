"""Difference-in-differences (双重差分法) under staggered adoption, its diagnostics, and synthetic control."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
