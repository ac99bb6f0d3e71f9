"""Figures for print (图表): a style, and plots that take a frame and return a matplotlib Figure.

In print a caption says what a figure shows: it has no title of its own but one given as ``title=``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
