"""The written report (研究报告): prose whose numbers are recorded results, set as HTML, Word and PDF."""

import lazy_loader

from clusterlib.core.extras import extra

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = extra("report")(__getattr__)
