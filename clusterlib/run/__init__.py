"""Run the notebooks for the regions and write ``reports/`` (批量运行)."""

import lazy_loader

from clusterlib.core.extras import extra

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["cli", "execute", "notebooks", "parameters", "places", "plan", "sweep", "tasks", "warm"],
    submod_attrs={"notebooks": ["find_notebooks"], "tasks": ["run"]},
)
__getattr__ = extra("run")(__getattr__)


def main() -> None:
    """Be the ``clusterlib`` command, of which a plain installation has the name alone."""
    import sys

    from clusterlib.errors import MissingExtraError

    try:
        with extra("run"):
            from clusterlib.run.cli import app
    except MissingExtraError as error:
        sys.exit(f"error: {error}")
    app()
