"""papermill with an engine that keeps the notebook as far as it ran, whatever stopped it."""

from __future__ import annotations

import logging
from pathlib import Path

# Before papermill, which imports it the slow way.
from clusterlib.run.quick import nbformat  # isort: skip
import papermill
from papermill.engines import NBClientEngine, papermill_engines

from clusterlib.run.places import EXECUTED

# Names and paths of every notebook are no news; what fails is told by the run.
logging.getLogger("papermill").setLevel(logging.CRITICAL)


class KeepingEngine(NBClientEngine):
    """Saves the notebook once, at the end; a save after each cell costs more than many a cell."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, *, partial_path: Path, **kwargs) -> None:
        """Execute the notebook's cells."""
        # Where it lay when it ran is no property of the notebook.
        nb_man.nb.metadata.papermill.update(input_path=Path(nb_man.nb.metadata.papermill.input_path).name)
        nb_man.nb.metadata.papermill.update(output_path=EXECUTED)
        try:
            super().execute_managed_notebook(nb_man, kernel_name, **kwargs)
        except Exception:
            nbformat.write(nb_man.nb, partial_path)
            raise


papermill_engines.register("clusterlib", KeepingEngine)

__all__ = ["papermill"]
