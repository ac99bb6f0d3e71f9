"""Write files so that no reader ever sees half of one (整写文件)."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_in_place(path: Path) -> Iterator[Path]:
    """Give another name to write a file under, which takes its place when it is whole: no reader sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        yield scratch
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text so that no reader ever sees half of it."""
    with written_in_place(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_json(path: Path, content: dict) -> None:
    """Write JSON so that no reader ever sees half of it."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
