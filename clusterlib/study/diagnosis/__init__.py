"""Diagnosis (症候诊断): growth of cities within provinces and across their borders, and what it is read from."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
