"""What a reader may take away of a figure or a table: pictures, figures behind them, settings, a citation (下载)."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def downloads(record: dict[str, Any], folder: Path, page: str, language: str) -> str:
    """Return the line of links under a figure or table of a notebook, as HTML; nothing where there is no file.

    Parameters
    ----------
    record : dict
        An entry of ``records`` in ``results.json``.
    folder : Path
        That of the notebook's run, such as ``reports/yrd/06_spatial``.
    page : str
        Where the line stands, such as ``"yrd/06_spatial"``: links are relative to it.
    language : {"en", "zh"}
    """
    return ""
