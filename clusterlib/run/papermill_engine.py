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

from clusterlib.errors import ClusterlibError
from clusterlib.run.places import EXECUTED

# Characters that a cell may print; those that it may print last, after others were left out; and those of pictures and
# tables that it may show.
PRINTED, LAST, SHOWN = 500_000, 10_000, 100_000_000
# Names and paths of every notebook are no news; what fails is told by the run.
logging.getLogger("papermill").setLevel(logging.CRITICAL)


class BoundedClient(PapermillNotebookClient):
    """Keeps the first and the last of what a cell prints, and refuses to keep pictures and tables without end."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.counts: Counter[tuple[str, int]] = Counter()
        self.cut: dict[int, tuple[NotebookNode, str]] = {}

    def output(self, outs, msg, display_id, cell_index) -> NotebookNode | None:
        """Keep an output, if there is room for it."""
        kind, content = msg["msg_type"], msg["content"]
        before = self.counts[kind, cell_index]
        if kind != "stream":
            self.counts[kind, cell_index] += sum(len(str(part)) for part in content.get("data", {}).values())
            return super().output(outs, msg, display_id, cell_index) if before < SHOWN else None
        text = content["text"]
        self.counts[kind, cell_index] += len(text)
        room = max(PRINTED - before, 0)
        if len(text) <= room:
            return super().output(outs, msg, display_id, cell_index)
        if cell_index not in self.cut:
            for part in (text[:room], ""):
                outs.append(nbformat.v4.new_output("stream", name=content["name"], text=part))
            self.cut[cell_index] = outs[-1], ""
        end, last = self.cut[cell_index]
        last = (last + text[room:])[-LAST:]
        left_out = self.counts[kind, cell_index] - PRINTED - len(last)
        end.text = f"\n[{left_out:,} characters are left out here: a cell may print {PRINTED:,}]\n{last}"
        self.cut[cell_index] = end, last
        return end

    def clear_output(self, outs, msg, cell_index) -> None:
        """Begin anew, as the cell does."""
        super().clear_output(outs, msg, cell_index)
        self.cut.pop(cell_index, None)
        for kind in ("stream", "display_data", "execute_result"):
            self.counts[kind, cell_index] = 0

    def check(self) -> None:
        """Refuse a notebook of which pictures or tables were left out.

        Raises
        ------
        ClusterlibError
            With the cell that shows so much.
        """
        for (kind, index), count in self.counts.items():
            if kind != "stream" and count > SHOWN:
                cell = self.nb.cells[index].id
                raise ClusterlibError(
                    f"cell {cell} shows {count:,} characters of figures and tables: at most {SHOWN:,}"
                )


class KeepingEngine(Engine):
    """Saves the notebook once, at the end; a save after each cell costs more than many a cell."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man, kernel_name, *, partial_path: Path, start_timeout: int, input_path: Path, **kwargs
    ) -> None:
        """Execute the notebook's cells."""
        # Where it lay when it ran is no property of the notebook.
        nb_man.nb.metadata.papermill.update(input_path=Path(input_path).name, output_path=EXECUTED)
        client = BoundedClient(nb_man, kernel_name=kernel_name, startup_timeout=start_timeout, **kwargs)
        try:
            client.execute()
            client.check()
        except Exception:
            nbformat.write(nb_man.nb, partial_path)
            raise


papermill_engines.register("clusterlib", KeepingEngine)

__all__ = ["papermill"]
