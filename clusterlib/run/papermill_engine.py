"""papermill with an engine that bounds what cells show, and keeps the notebook as far as it ran."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

# Before papermill, which imports it the slow way.
from clusterlib.run.quick import nbformat  # isort: skip
import papermill
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.translators import PythonTranslator, papermill_translators

from clusterlib.errors import ClusterlibError
from clusterlib.run.kernels import RunKernelManager
from clusterlib.run.places import EXECUTED

# Characters that a cell may print; those that it may print last, after others were left out; and those of pictures and
# tables that it may show.
PRINTED, LAST, SHOWN = 500_000, 10_000, 100_000_000
# Names and paths of every notebook are no news; what fails is told by the run.
logging.getLogger("papermill").setLevel(logging.CRITICAL)


class BoundedClient(PapermillNotebookClient):
    """Keeps the first and the last of what a cell prints, and refuses pictures and tables without end."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.counts: Counter[tuple[str, int]] = Counter()
        self.last: dict[int, str] = {}

    def output(self, outs, msg, display_id, cell_index) -> NotebookNode | None:
        """Keep an output, if there is room for it."""
        kind, content = msg["msg_type"], msg["content"]
        printed = kind == "stream"
        size = len(content["text"]) if printed else sum(len(str(part)) for part in content.get("data", {}).values())
        self.counts[kind, cell_index] += size
        over = self.counts[kind, cell_index] - (PRINTED if printed else SHOWN)
        if over <= 0:
            return super().output(outs, msg, display_id, cell_index)
        if not printed:
            raise ClusterlibError(f"cell {self.nb.cells[cell_index].id} shows more than {SHOWN / 1e6:g} MB of pictures")
        if cell_index not in self.last:
            for text in (content["text"][: size - over], ""):
                outs.append(nbformat.v4.new_output("stream", name=content["name"], text=text))
        self.last[cell_index] = last = (self.last.get(cell_index, "") + content["text"][-over:])[-LAST:]
        left_out = f"\n[{over - len(last):,} characters are left out here: a cell may print {PRINTED:,}]\n"
        outs[-1:] = [nbformat.v4.new_output("stream", name=content["name"], text=left_out + last)]
        return outs[-1]


class TupleTranslator(PythonTranslator):
    """Writes parameters into a notebook, tuples as such."""

    @classmethod
    def translate(cls, val) -> str:
        """Return the source of a value."""
        return f"tuple({super().translate(list(val))})" if isinstance(val, tuple) else super().translate(val)


class KeepingEngine(Engine):
    """Saves the notebook once, at the end; a save after each cell costs more than many a cell."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man, kernel_name, *, kernel: RunKernelManager, start_timeout: int, input_path: Path, **kwargs
    ) -> None:
        """Execute the notebook's cells."""
        # Where it lay when it ran is no property of the notebook.
        nb_man.nb.metadata.papermill.update(input_path=Path(input_path).name, output_path=EXECUTED)
        client = BoundedClient(nb_man, km=kernel, startup_timeout=start_timeout, **kwargs)
        try:
            client.execute(cleanup_kc=True)
        except Exception:
            nbformat.write(nb_man.nb, kernel.folder / EXECUTED)
            raise


papermill_engines.register("clusterlib", KeepingEngine)
papermill_translators.register("python", TupleTranslator)

__all__ = ["papermill"]
