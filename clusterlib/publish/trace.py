"""From a result to what it was made from: its cell, its parameters and the raw rows that were read (溯源)."""

from __future__ import annotations

from typing import Any


def trace(record: dict[str, Any], run: dict[str, Any], results: dict[str, Any], page: str, language: str) -> str:
    """Return the panel that opens under a result of a notebook, as HTML; nothing where nothing is known.

    Parameters
    ----------
    record : dict
        An entry of ``records`` in ``results.json``.
    run, results : dict
        The whole ``run.json`` and ``results.json`` of the notebook.
    page : str
        Where the panel stands, such as ``"yrd/06_spatial"``: links are relative to it.
    language : {"en", "zh"}
    """
    return ""
