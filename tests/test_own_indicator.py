"""The notebook for any indicator, its cells run with other parameters than its own: levels, policies, single years."""

from __future__ import annotations

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest

from clusterlib.paths import get_project
from clusterlib.results import Recorder

NAME = "21_own_indicator"


@pytest.fixture
def carry_out(monkeypatch, capsys):
    kept = Recorder.__call__

    def run(**parameters) -> dict:
        found: dict = {}
        names: dict = {}

        def call(recorder, name, value, **values):
            assert name not in found, f"{name} is recorded twice"
            found[name] = value
            # Captions are filled as in a run.
            kept(recorder, name, value, **values)

        monkeypatch.setattr(Recorder, "__call__", call)
        for cell in nbformat.read(get_project().notebooks / f"{NAME}.ipynb", as_version=4).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, cell.id, "exec"), names)
                if "parameters" in cell.metadata.get("tags", []):
                    assert parameters.keys() <= names.keys()
                    names |= {"permutations": 99, **parameters}
        plt.close("all")
        return found

    return run


def test_an_indicator_of_one_year_has_no_trend_and_no_regression(carry_out):
    found = carry_out(indicator="high_technology_enterprises")
    assert found["trend.none"] == "one_year" and found["association.none"] == "one_year"
    assert {"ranking.table", "map.figure", "moran.last"} <= found.keys()
    assert len(found["coverage.table"]) == 1


def test_provinces_have_a_map_of_the_nation_and_a_regression(carry_out):
    found = carry_out(level="province", indicator="broadband_ports", region="gba")
    assert {"map.figure", "trend.figure", "moran.by_year", "lisa.map", "conclusion.association"} <= found.keys()
    # Guangdong alone is no sample.
    assert list(found["association.table"].index) == ["observed"]


def test_counties_have_no_map_and_no_neighbours(carry_out):
    found = carry_out(level="county", indicator="industrial_enterprises", outcome="gdp")
    assert found["map.none"] == "no_boundaries" and found["space.none"] == "no_boundaries"
    assert {"ranking.table", "trend.figure", "association.table"} <= found.keys()
    assert carry_out(level="county", indicator="gdp")["association.none"] == "no_outcome"


def test_filled_figures_enter_a_regression_beside_that_of_the_observed(carry_out):
    drawn = carry_out(missing="multiple 3")
    table = drawn["association.table"]
    assert list(table.index) == ["observed", "filled", "region"]
    assert table.loc["filled", "n"] > table.loc["observed", "n"]
    assert table.loc["filled", "missing_information"] > 0 and np.isnan(table.loc["observed", "missing_information"])
    # Nobody has a figure of 2020: nothing is drawn, and a line may run across.
    assert drawn["coverage.table"].loc[:, "filled"].get(2020, 0) == 0
    lined = carry_out(missing="linear 2")
    assert lined["coverage.table"].loc[2020, "filled"] > 200
    assert "missing_information" not in lined["association.table"]
    # Ranks and neighbours rest on what was observed.
    for name in ("ranking.table", "moran.by_year"):
        assert lined[name].equals(drawn[name])


def test_an_indicator_with_zeros_is_taken_as_it_is(carry_out):
    found = carry_out(indicator="us_entity_list_entries", outcome="gdp", region="bth")
    assert {"map.figure", "ranking.table", "moran.by_year"} <= found.keys()
    assert "association.table" in found
    share = carry_out(indicator="science_expenditure_share", years="2021:2023")
    assert len(share["coverage.table"]) == 3 and share["association.table"].loc["observed", "n"] > 500
