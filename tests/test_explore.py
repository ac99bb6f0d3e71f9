"""Views of an indicator in a notebook: what they show is what the panel holds, with and without controls."""

from __future__ import annotations

import re
import sys
from html import unescape

import pytest

import clusterlib as cl
from clusterlib.errors import UnknownNameError


def page_of(bundle) -> str:
    return unescape(re.search(r'srcdoc="([^"]*)"', bundle["text/html"])[1])


def test_a_page_shows_the_panel_its_years_unit_source_and_the_whole_country():
    explorer = cl.explore.explorer("province", "software_revenue_share", region="yrd", language="en")
    page, panel = page_of({"text/html": explorer.html()}), cl.data.load_panel("province", "software_revenue_share")
    values = panel["software_revenue_share"].unstack("year")
    heads = re.findall(r'<th scope="col">(\d+)</th>', page)
    assert heads == [str(year) for year in values.dropna(axis=1, how="all").columns]
    row = re.search(r'<tr data-u="310000">(.*?)</tr>', page)[1]
    cells = re.findall(r"<td>([^<]+)</td>", row)
    shown = [float(cell) for cell in cells if cell != "–"]
    assert shown == pytest.approx(
        values.loc[310000].dropna().tolist(), abs=0.5 * 10.0 ** -len(cells[-1].partition(".")[2])
    )
    assert re.search(r'data-u="710000" fill="url\(#chosen-none\)"', page)
    assert "GS(2024)0650" in page and page.count('href="#dashes"') == 1 and "Source: " in page
    assert re.search(r'data-units="310000 320000 330000 340000"', page)
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)


def test_without_ipywidgets_the_views_are_shown_with_the_call_that_chooses(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    bundle = cl.explore.explorer("province", "gdp", language="en")._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert "ipywidgets" in bundle["text/html"] and "cl.explore.explorer(" in bundle["text/html"]


def test_what_is_not_there_is_refused_with_what_is():
    for given in ({"level": "town"}, {"indicator": "gdpp"}, {"region": "nowhere"}, {"language": "fr"}):
        with pytest.raises(UnknownNameError):
            cl.explore.explorer(**given)
