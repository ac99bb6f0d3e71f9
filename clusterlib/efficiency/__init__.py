"""Efficiency (效率测度): data envelopment analysis and stochastic frontiers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
