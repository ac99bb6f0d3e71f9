"""The written report (研究报告): prose whose numbers are recorded results, set as HTML, Word and PDF."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
