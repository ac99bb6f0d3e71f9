"""Scenarios (情景模拟): the four remedies as counterfactuals from estimated models, and cases of single cities."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
