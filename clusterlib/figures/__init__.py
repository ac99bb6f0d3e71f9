"""Figures for print (图表): a style, and plots that take a frame and return a matplotlib Figure."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
