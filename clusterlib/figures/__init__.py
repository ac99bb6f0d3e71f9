"""Figures for print (图表): a style, and plots that take a frame and return a matplotlib Figure."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "charts",
        "composite",
        "diagnosis",
        "image",
        "inequality",
        "policy",
        "regression",
        "robustness",
        "scenario",
        "spatial",
        "specialisation",
        "style",
    ],
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
        "diagnosis": ["border_plot", "distance_plot", "severity_heatmap", "severity_paths", "severity_radar"],
        "image": ["draw_png"],
        "inequality": [
            "club_paths",
            "decomposition_bars",
            "density_ridges",
            "growth_scatter",
            "interval_lines",
        ],
        "policy": ["decomposition_plot", "event_study_plot", "placebo_plot", "synthetic_control_plot"],
        "regression": ["coefficient_comparison", "impacts_plot", "threshold_plot"],
        "robustness": ["curve_comparison", "specification_curve_plot"],
        "scenario": ["effects_plot", "paths_plot", "regimes_plot"],
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
