"""``nbformat`` without its slowest part, which reading and writing notebooks does not need."""

from __future__ import annotations

import sys

# jsonschema builds the grammar of web addresses, which takes longer than everything else here together, in case a
# schema asks for it; the schema of notebooks does not. A name bound to None makes its optional import fail.
_HELD = "rfc3987_syntax"
if "jsonschema" not in sys.modules and _HELD not in sys.modules:
    sys.modules[_HELD] = None  # type: ignore[assignment]
    try:
        import nbformat
    finally:
        del sys.modules[_HELD]
else:
    import nbformat

__all__ = ["nbformat"]
