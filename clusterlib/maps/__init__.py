"""Maps that keep the rules: full national boundary, South China Sea inset, scale, source, classes, approval number."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
