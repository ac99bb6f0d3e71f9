"""Three-line tables (三线表) for screen and print, and regression tables (回归结果表)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["cells", "latex", "models", "page"],
    submod_attrs={
        "latex": ["three_line_table_latex"],
        "models": ["coefficient_records", "regression_table"],
        "page": ["three_line_table"],
    },
)
