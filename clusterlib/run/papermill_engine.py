"""papermill with an engine that bounds what cells show, and keeps the notebook as far as it ran."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Before papermill, which imports it the slow way.
from clusterlib.core.quick import nbformat  # isort: skip
import papermill
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.translators import PythonTranslator, papermill_translators

from clusterlib.core.reads import ENDED, READS_VARIABLE
from clusterlib.core.records import EXECUTED
from clusterlib.paths import ROOT_VARIABLE
from clusterlib.run.kernels import RunKernelManager
from clusterlib.run.sources import FOLDER

# Characters that a cell may print; those that it may print last, after others were left out, and that a line of its
# error may have; and those of pictures and tables that it may leave.
PRINTED, LAST, SHOWN = 500_000, 10_000, 20_000_000
_SHOWS = {"stream", "display_data", "update_display_data", "execute_result", "error"}
_TOO_MUCH = f"the cell shows more than {SHOWN / 1e6:g} MB of pictures and tables: show fewer, or a part of each"
# Names and paths of every notebook are no news; what fails is told by the run.
for name in ("papermill", "asyncio"):
    logging.getLogger(name).setLevel(logging.CRITICAL)


def _shorten(text: str) -> str:
    """Return the beginning and the end of a text that is too long."""
    over, half = len(text) - LAST, LAST // 2
    return text if over <= 0 else f"{text[:half]}\n[{over:,} characters are left out here]\n{text[-half:]}"


def _size(holder: Mapping) -> int:
    return sum(len(str(part)) for part in holder.get("data", {}).values())


class BoundedClient(PapermillNotebookClient):
    """Keeps the first and the last of what a cell prints, and ends one that shows pictures and tables without end."""

    def __init__(self, nb_man, kernel: RunKernelManager, **kwargs) -> None:
        super().__init__(nb_man, km=kernel, on_cell_executed=self._note_end, **kwargs)
        self.kernel, self.printed, self.shown, self.ended = kernel, 0, 0, False
        self.last, self.tail = "", None
        # Where this machine keeps the project, the library, its packages and a user's files: with or without colours.
        own = {kernel.variables.get(name, "") for name in (ROOT_VARIABLE, "TMPDIR")}
        self.places = {*own, str(FOLDER.parent), sys.prefix, sys.base_prefix, str(Path.home())} - {"", "/", "/usr"}
        every = "|".join(map(re.escape, sorted(self.places, key=len, reverse=True)))
        self.place = re.compile(rf"(?:(?<![\w/.+=-])|(?<=[\[;]\d\dm))(?:{every})(?:/|(?![\w.-]))")

    def _without_places(self, content: Any) -> Any:
        """Return what a cell shows without where this machine keeps files."""
        if isinstance(content, dict):
            return {name: self._without_places(part) for name, part in content.items()}
        if isinstance(content, list):
            return [self._without_places(part) for part in content]
        # Looked for in the text first: pictures are long and have none.
        found = isinstance(content, str) and any(place in content for place in self.places)
        return self.place.sub("", content) if found else content

    def _note_end(self, cell: NotebookNode, execute_reply: dict, **_: object) -> None:
        """Note an error that only the reply tells: of a magic, or of a cell that asks its kernel to end."""
        if reads := self.kernel.variables.get(READS_VARIABLE):
            with open(reads, "a", encoding="utf-8") as file:
                file.write(f"{ENDED}{cell.id}\n")
        self.shutdown_kernel, reply = "graceful", execute_reply["content"]
        if any(part.get("source") == "ask_exit" for part in reply.get("payload", [])):
            reply |= {"status": "error", "ename": "SystemExit", "evalue": "", "traceback": []}
        if reply["status"] == "error" and not any(output.output_type == "error" for output in cell.outputs):
            self._add_error(cell, reply["ename"], reply["evalue"])

    def _add_error(self, cell: NotebookNode, name: str, words: str) -> None:
        words = _shorten(self._without_places(words))
        cell.outputs.append(nbformat.v4.new_output("error", ename=name, evalue=words, traceback=[]))

    def process_message(self, msg: dict, cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Keep what a message brings, and kill the kernel if the cell then shows too much."""
        # What a killed kernel had sent by then still comes in.
        if self.ended and "data" in msg["content"]:
            return None
        if msg["msg_type"] in _SHOWS:
            msg = {**msg, "content": self._without_places(msg["content"])}
        # A cell that has not come to its end when the kernel is to end is not waited for.
        self.shutdown_kernel = "immediate"
        output = super().process_message(msg, cell, cell_index)
        content = msg["content"]
        places = self._display_id_map.get((content.get("transient") or {}).get("display_id", ""), {})
        # Never less than what is there; what was cleared or replaced is found out when this is too much.
        self.shown += _size(content) * max(1, sum(map(len, places.values())))
        if self.shown > SHOWN:
            cells = [cell, *(self.nb.cells[index] for index in places)]
            self.shown = max(sum(map(_size, one.outputs)) for one in cells)
            if self.shown > SHOWN:
                for one in cells:
                    one.outputs = [output for output in one.outputs if "data" not in output]
                self._add_error(cell, "OutputError", _TOO_MUCH)
                self.ended = True
                self.kernel.kill()
        return output

    def output(self, outs: list, msg: dict, display_id: str | None, cell_index: int) -> NotebookNode | None:
        """Keep an output, as far as there is room for it."""
        content = msg["content"]
        if msg["msg_type"] == "error":
            content |= {"evalue": _shorten(content["evalue"]), "traceback": [*map(_shorten, content["traceback"])]}
        if msg["msg_type"] != "stream":
            return super().output(outs, msg, display_id, cell_index)
        if not outs or self.clear_before_next_output:
            self.printed, self.tail = 0, None
        text, room = content["text"], max(0, PRINTED - self.printed)
        self.printed += len(text)
        content["text"] = text[:room]
        output = super().output(outs, msg, display_id, cell_index) if content["text"] else None
        if self.printed <= PRINTED:
            return output
        if self.tail is None:
            self.last, self.tail = "", nbformat.v4.new_output("stream", name=content["name"])
            outs.append(self.tail)
        self.last = (self.last + text[room:])[-LAST:]
        left_out = self.printed - PRINTED - len(self.last)
        said = f"\n[{left_out:,} characters are left out here: a cell may print {PRINTED:,}]\n" if left_out else ""
        self.tail.text = said + self.last
        return self.tail


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
        client = BoundedClient(nb_man, kernel, startup_timeout=start_timeout, **kwargs)
        try:
            client.execute(cleanup_kc=True)
        except Exception:
            nbformat.write(nb_man.nb, kernel.folder / EXECUTED)
            raise


papermill_engines.register("clusterlib", KeepingEngine)
papermill_translators.register("python", TupleTranslator)

__all__ = ["papermill"]
