"""``nbformat`` without its slowest part, which reading and writing notebooks does not need."""

from __future__ import annotations

import sys

# jsonschema builds the grammar of web addresses, which takes longer than everything else here together, in case a
# schema asks for it; the schema of notebooks does not. A name bound to None makes its optional import fail.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
import nbformat  # noqa: E402

__all__ = ["nbformat"]
