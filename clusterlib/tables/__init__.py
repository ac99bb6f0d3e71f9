"""Three-line tables (三线表) for screen and print, and regression tables (回归结果表)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
