"""Diagnosis (症候诊断): the four syndromes that hold clusters back, each as a model with a severity of 0 to 100."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
