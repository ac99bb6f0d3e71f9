"""Panel models (面板模型): fixed and random effects, instruments, mediation, thresholds and the tests between them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
