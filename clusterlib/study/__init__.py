"""The study (研究设计): its indices, variables, groups and years, and the panels that its models are made from."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
