"""Agglomeration (集聚): location quotients, concentration, specialisation, city sizes, economic complexity."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
