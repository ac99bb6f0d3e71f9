"""Figures for print (图表): a style, and plots that take a frame and return a matplotlib Figure."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["charts", "style"],
    submod_attrs={
        "charts": [
            "coverage_heatmap",
            "grouped_bars",
            "interval_dots",
            "label_points",
            "stacked_bars",
            "trend_lines",
        ],
        "style": [
            "FONT",
            "NEUTRAL",
            "REGION_MARKS",
            "SEQUENTIAL",
            "SERIES_COLOURS",
            "SERIES_HATCHES",
            "Mark",
            "add_source",
            "use_style",
        ],
    },
)
