"""Reference panels and what R's plm gives for them, shared by the tests of panel methods."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

REFERENCE = Path(__file__).parent / "reference"
CASES = {
    "produc": ("gsp", ["pcap", "pc", "emp", "unemp"], "state", ["gsp", "pcap", "pc", "emp"]),
    "grunfeld": ("inv", ["value", "capital"], "firm", []),
    "cigar": ("logc", ["logp", "logy"], "state", []),
}


@cache
def expected(name: str) -> dict:
    """What R gives, with plm's names of variables turned into ours."""
    text = (REFERENCE / "expected" / f"{name}.json").read_text(encoding="utf-8")
    for column in ("gsp", "pcap", "pc", "emp"):
        text = text.replace(f"log({column})", column)
    return json.loads(text.replace("(Intercept)", "const"))


def case(name: str) -> tuple[pd.DataFrame, str, list[str]]:
    """A panel, its dependent variable and its regressors."""
    y, x, unit, logs = CASES[name]
    data = pd.read_csv(REFERENCE / "data" / f"{name}.csv").set_index([unit, "year"])
    data[logs] = np.log(data[logs])
    return data, y, x


def thinned(data: pd.DataFrame) -> pd.DataFrame:
    """The rows that are left in the unbalanced panels of R/panel_unbalanced.R."""
    u = pd.factorize(data.index.get_level_values(0))[0] + 1
    t = pd.factorize(data.index.get_level_values(1), sort=True)[0] + 1
    return data[~(((u + 2 * t) % 7 == 0) | ((u % 4 == 1) & (t <= 3)) | ((u == 2) & (t > 5)))]


def made_panel(units: int, periods: int, seed: int, columns: str = "yxz") -> pd.DataFrame:
    """Independent normal columns, one for each letter."""
    index = pd.MultiIndex.from_product([range(units), range(2000, 2000 + periods)], names=["unit", "year"])
    values = np.random.default_rng(seed).normal(size=(units * periods, len(columns)))
    return pd.DataFrame(values, index=index, columns=list(columns))


def agree(got: pd.Series, wanted: dict, tolerance: float) -> None:
    """Assert that values by name agree within a relative tolerance."""
    wanted = pd.Series(wanted, dtype=float)
    np.testing.assert_allclose(got[wanted.index], wanted, rtol=tolerance)
