"""Run the notebooks for the regions and write ``reports/`` (批量运行)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["cli", "execute", "notebooks", "parameters", "places", "plan", "sweep", "tasks", "warm"],
    submod_attrs={"notebooks": ["find_notebooks"], "tasks": ["run"]},
)
