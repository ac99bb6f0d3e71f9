"""Figures for print (图表): a style, and plots that take a frame and return a matplotlib Figure."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["charts", "composite", "inequality", "policy", "spatial", "specialisation", "style"],
    submod_attrs={
        "charts": [
            "coverage_heatmap",
            "grouped_bars",
            "interval_dots",
            "label_points",
            "stacked_bars",
            "trend_lines",
        ],
        "composite": ["grade_heatmap", "rank_ranges"],
        "inequality": [
            "club_paths",
            "decomposition_bars",
            "density_ridges",
            "growth_scatter",
            "interval_lines",
        ],
        "policy": ["decomposition_plot", "event_study_plot", "placebo_plot", "synthetic_control_plot"],
        "spatial": ["centre_path", "moran_plot", "name_points", "transition_heatmaps"],
        "specialisation": ["quotient_heatmap", "rank_size_plot", "region_intervals", "region_scatter"],
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
