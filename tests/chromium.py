"""Where Chromium is, and what tests that need it are marked with."""

from __future__ import annotations

import os
import shutil

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = [
    pytest.mark.browser,
    # The machine that decides has Chromium; a user's may not.
    pytest.mark.skipif(not CHROMIUM and not os.environ.get("CI"), reason="no Chromium on PATH"),
]
