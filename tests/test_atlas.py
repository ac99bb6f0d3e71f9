"""Maps of the site: they draw what is recorded, lose no part of the country, and can be read by keys."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from chromium import needs_chromium

from clusterlib.data import load_boundaries, load_clusters, load_pairs, unit_names
from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project, get_project
from clusterlib.publish import atlas
from clusterlib.publish.frame import file_of

ASSETS = Path(atlas.__file__).parent / "assets"
WITHOUT = (540000, 710000, 810000, 820000)
YEARS = ["2022", "2023"]
MAPS = ["index", "clusters", "lisa", "links"]


def _table(name: str, frame: pd.DataFrame, **said: str) -> dict:
    """A recorded table as a notebook records it, with its figures to three decimals in both languages."""
    codes = frame.index.name == "adcode"
    labels = {"": unit_names(language="en"), "_zh": unit_names(language="zh")}
    cells = [[f"{v:.3f}" if isinstance(v, float) else str(v) for v in row] for row in frame.itertuples(index=False)]
    shown = {
        f"shown{ending}": {
            "heads": [frame.index.name, *frame.columns],
            "rows": [[str(names[u] if codes else u), *row] for u, row in zip(frame.index, cells, strict=True)],
            "align": ["left"] * (1 + frame.shape[1]),
        }
        for ending, names in labels.items()
    }
    data = [[u, *row] for u, row in zip(frame.index.tolist(), frame.to_numpy(object).tolist(), strict=True)]
    value = {"index": [frame.index.name], "columns": list(frame.columns), "data": data}
    return {"name": name, "kind": "table", "value": value, **shown, **said}


def _record(reports: Path, region: str, notebook: str, *records: dict, **parameters: object) -> None:
    folder = reports / region / notebook
    folder.mkdir(parents=True, exist_ok=True)
    content = {"notebook": notebook, "region": region, "parameters": {"region": region, **parameters}}
    (folder / "results.json").write_text(json.dumps({**content, "records": records}), encoding="utf-8")


def _index_table(factor: float = 1.0, **said: str) -> dict:
    codes = [code for code in load_boundaries("province").index if code not in WITHOUT]
    values = np.linspace(0.05, 0.9, len(codes))
    frame = pd.DataFrame({"2022": values[::-1], "2023": factor * values}, pd.Index(codes, name="adcode"))
    said = {"label_en": "Index by province", "label_zh": "各省指数", "source": "NBS", "source_zh": "统计局", **said}
    return _table("index.by_province", frame, **said)


def _lisa_records() -> list[dict]:
    codes = load_boundaries("city").index[:300]
    kinds = ["HH", "LL", "HL", "LH", *["ns"] * (len(codes) - 4)]
    frame = pd.DataFrame({"gdp_per_head": np.linspace(20, 200, len(codes))}, pd.Index(codes, name="adcode"))
    frame = frame.assign(I=0.5, p_sim=0.01, p_adjusted=0.02, quadrant="HH", cluster=kinds, spot="ns")
    figure = {"name": "lisa.map", "kind": "figure", "value": "figures/lisa.map.en.png", "label_en": "Local clusters"}
    return [_table("lisa.table", frame), figure | {"label_zh": "局部集聚", "note": "n = 300"}]


def _fill(reports: Path) -> None:
    """What the notebooks of two regions recorded, the same for both."""
    programmes = {"national_advanced_manufacturing": [45, 80], "strategic_emerging_industry": [66, 66]}
    totals = pd.DataFrame(programmes, pd.Index(["2022", "2024"], name="year"))
    trains = {"name": "trains.map", "kind": "figure", "value": "figures/trains.map.en.png", "label_en": "Direct trains"}
    for region in ("bth", "yrd"):
        _record(reports, region, "02_overview", _table("clusters.totals", totals))
        _record(reports, region, "03_digital_index", _index_table())
        _record(reports, region, "06_spatial", *_lisa_records())
        _record(reports, region, "16_city_links", trains | {"label_zh": "直达列车"}, links_drawn=50)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Pages of maps made from records of every notebook that one of them needs; to be read only."""
    root = tmp_path_factory.mktemp("atlas")
    (root / "data").symlink_to(get_project().root / "data")
    _fill(root / "reports")
    shutil.copytree(ASSETS, root / "reports" / "assets")
    atlas.write_atlas(Project(root))
    return root / "reports"


@pytest.fixture(scope="module")
def html(site):
    return (site / "maps.html").read_text(encoding="utf-8")


def _sections(html: str) -> dict[str, str]:
    return dict(re.findall(r'<section class="atlas" id="map-([^"]+)">(.*?)</section>', html, re.DOTALL))


def _rings(path: str) -> list[np.ndarray]:
    """The corners of each ring of a path, from its steps."""
    found = []
    for x, y, steps in re.findall(r"M(-?\d+) (-?\d+)l([-\d ]+)z", path):
        moves = np.array(re.findall(r"-?\d+", steps), int).reshape(-1, 2)
        found.append(np.array([int(x), int(y)]) + np.vstack([[0, 0], moves]).cumsum(axis=0))
    return found


def _paths(html: str, prefix: str) -> dict[str, str]:
    return dict(re.findall(rf'<path id="{prefix}([^"]*)" d="([^"]*)"', html))


def test_every_map_is_there_in_both_languages_and_a_page_is_small(site, html):
    assert list(_sections(html)) == MAPS
    chinese = (site / "maps.zh.html").read_text(encoding="utf-8")
    assert list(_sections(chinese)) == MAPS
    assert max(len(html.encode()), len(chinese.encode())) < 700_000
    assert "北京" not in re.sub(r"<select.*?</select>", "", html) and "Beijing" not in chinese


def test_a_map_shows_the_latest_year_as_it_is_recorded(site, html):
    section, record = _sections(html)["index"], _index_table()
    fills = dict(re.findall(r'data-u="(\d+)" fill="([^"]+)"', section))
    steps = [(float(low), fill) for fill, low in re.findall(r'fill="([^"]+)" data-low="([^"]+)"', section)]
    assert len(fills) == 34 and len(steps) == 6
    for code, *_, last in record["value"]["data"]:
        wanted = [fill for low, fill in steps if low < round(last, 3)][-1]
        assert fills[str(code)] == wanted
        assert f"<td>{last:.3f}</td></tr>" in section.split(f'<tr data-u="{code}">')[1][:200]
    assert {fills[str(code)] for code in WITHOUT} == {"url(#index-none)"}
    assert "no data: Tibet, Taiwan, Hong Kong, Macao" in section
    kept = pd.read_csv(site / "maps" / "index.csv", index_col="adcode", encoding="utf-8-sig")
    assert kept.loc[[110000], YEARS].to_numpy()[0].tolist() == record["value"]["data"][0][1:]
    assert kept.loc[[110000], ["adcode_en", "adcode_zh"]].to_numpy()[0].tolist() == ["Beijing", "北京"]


def test_each_map_bears_what_the_rules_want(html):
    for section in _sections(html).values():
        assert section.count("GS(2024)0650") == 1 and section.count('class="inset"') == 1
        assert section.count('href="#dashes"') == section.count('href="#nation"') == 1
        assert "South China Sea" in section and "500 km" in section
    assert len(re.findall("M", _paths(html, "dashes")[""])) >= 9


def test_no_island_is_lost_and_neighbours_stay_joined(html):
    cities, nation = _paths(html, "city"), _paths(html, "nation")[""]
    for code, shape in load_boundaries("city").geometry.items():
        rings = sum(1 + len(part.interiors) for part in shapely.get_parts(shape))
        assert cities[str(code)].count("M") == rings, code
    corners = {tuple(corner) for path in cities.values() for ring in _rings(path) for corner in ring}
    provinces = _paths(html, "province").items()
    for path in [nation, *(path for name, path in provinces if name.isdigit()), *_paths(html, "region-").values()]:
        assert {tuple(corner) for ring in _rings(path) for corner in ring} <= corners


def test_clusters_and_links_are_those_of_the_lists(site, html):
    lists = load_clusters()
    national = lists[lists["programme"].isin(["national_advanced_manufacturing", "strategic_emerging_industry"])]
    section = _sections(html)["clusters"]
    assert section.count("<tr data-u=") == len(national)
    known = (national["programme"] == "national_advanced_manufacturing").sum()
    assert f"{known} listed of 80 announced by 2024" in section
    led = national["adcodes"].str.split(";").explode().value_counts()
    radius = dict(re.findall(r'<circle data-u="(\d+)"[^>]* r="([\d.]+)"', section))
    assert {code: float(r) for code, r in radius.items()} == pytest.approx((24 * led**0.5).to_dict(), abs=0.06)
    kept = pd.read_csv(site / "maps" / "links.csv", encoding="utf-8-sig")
    seen = load_pairs(["direct_trains"])["direct_trains"]
    once = seen[seen.index.get_level_values(0) < seen.index.get_level_values(1)]
    assert kept["trains"].tolist() == once.nlargest(50).tolist()
    assert kept["trains"].tolist() == [seen[pair] for pair in zip(kept["origin"], kept["destination"], strict=True)]


def test_a_map_leads_to_the_record_that_it_shows(html):
    for name, record in zip(MAPS, ("index.by_province", "clusters.totals", "lisa.table", "trains.map"), strict=True):
        links = re.findall(r'href="([^"]+)#result-([^"]+)"', _sections(html)[name])
        assert [region.split("/")[0] for region, _ in links] == ["bth", "yrd"]
        assert {found for _, found in links} == {record}


def test_regions_that_found_something_else_have_a_map_of_their_own(project):
    _fill(project.reports)
    _record(project.reports, "yrd", "03_digital_index", _index_table(0.5))
    atlas.write_atlas(project)
    sections = _sections((project.reports / "maps.html").read_text(encoding="utf-8"))
    assert list(sections) == ["index", "index1", *MAPS[1:]]
    assert ">Index by province (BTH)<" in sections["index"] and ">Index by province (YRD)<" in sections["index1"]


def test_a_map_whose_notebook_was_not_run_is_left_out(project):
    atlas.write_atlas(project)
    assert "No notebook that draws one of these maps" in (project.reports / "maps.html").read_text(encoding="utf-8")
    _record(project.reports, "gba", "06_spatial", *_lisa_records())
    atlas.write_atlas(project)
    assert list(_sections((project.reports / "maps.html").read_text(encoding="utf-8"))) == ["lisa"]


def test_pages_are_the_same_at_each_making(project):
    _fill(project.reports)
    first = {path: path.read_bytes() for path in atlas.write_atlas(project)}
    assert {path: path.read_bytes() for path in atlas.write_atlas(project)} == first
    names = [path.relative_to(project.reports).as_posix() for path in first]
    assert names == [file_of("maps", "en"), file_of("maps", "zh"), *(f"maps/{name}.csv" for name in MAPS)]


def test_what_a_record_says_is_shown_as_text(project):
    _record(project.reports, "yrd", "03_digital_index", _index_table(label_en="<script>run()</script>", note='"><img>'))
    atlas.write_atlas(project)
    page = (project.reports / "maps.html").read_text(encoding="utf-8")
    assert "<script>run()" not in page and "<img>" not in page and "&lt;script&gt;run()" in page


def test_a_damaged_record_is_told_with_what_to_run(project):
    _fill(project.reports)
    (project.reports / "yrd" / "06_spatial" / "results.json").write_text("{", encoding="utf-8")
    with pytest.raises(ClusterlibError, match="run `clusterlib run --notebook 06_spatial --region yrd`"):
        atlas.write_atlas(project)
    assert not (project.reports / "maps.html").exists()


@pytest.fixture(params=[(1440, 900), (390, 800)], ids=["desk", "phone"])
def page(browser, site, request):
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda r: page.asked.append(r.url))
    page.on("console", lambda m: page.complaints.append(m.text))
    page.on("pageerror", lambda e: page.complaints.append(str(e)))
    page.goto((site / "maps.html").as_uri())
    yield page
    assert page.complaints == []
    assert [url for url in page.asked if not url.startswith(site.as_uri())] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def _view(section) -> list[float]:
    return [float(v) for v in section.locator("svg.view").get_attribute("viewBox").split()]


class TestInTheBrowser:
    pytestmark = needs_chromium

    def test_keys_and_buttons_move_and_zoom(self, page):
        section = page.locator("#map-lisa")
        whole = _view(section)
        section.locator(".pane").focus()
        page.keyboard.press("+")
        near = _view(section)
        assert near[2] == pytest.approx(0.7 * whole[2], rel=0.01)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowUp")
        moved = _view(section)
        assert moved[0] > near[0] and moved[1] < near[1] and moved[2] == near[2]
        page.keyboard.press("0")
        assert _view(section) == whole
        section.get_by_role("button", name="GBA").click()
        gba = _view(section)
        assert gba[2] < 0.2 * whole[2]
        assert section.locator(".bar text").text_content() == "50 km"
        section.get_by_role("button", name="Zoom out").click()
        assert _view(section)[2] > gba[2]

    def test_a_map_follows_the_pointer_and_a_page_is_not_caught_by_it(self, page):
        section = page.locator("#map-links")
        section.locator(".pane").scroll_into_view_if_needed()
        box = section.locator(".pane").bounding_box()
        before, at = _view(section), (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.move(*at)
        page.mouse.wheel(0, 10)
        assert _view(section) == before
        page.mouse.down()
        page.mouse.move(at[0] - box["width"] / 10, at[1], steps=4)
        page.mouse.up()
        assert _view(section)[0] == pytest.approx(before[0] + before[2] / 10, rel=0.05)
        section.locator(".pane").focus()
        page.mouse.wheel(0, -10)
        page.wait_for_function(
            "w => +document.querySelector('#map-links .view').viewBox.baseVal.width < w", arg=before[2]
        )

    def test_the_slider_shows_another_year_and_says_which(self, page):
        section = page.locator("#map-index")
        slider, beijing = section.locator("input[type=range]"), section.locator('use[data-u="110000"]')
        fill = beijing.get_attribute("fill")
        assert slider.get_attribute("aria-valuetext") == "2023"
        slider.focus()
        page.keyboard.press("ArrowLeft")
        assert slider.get_attribute("aria-valuetext") == "2022"
        # The order of the provinces is the other way round in this year.
        assert beijing.get_attribute("fill") != fill
        section.locator(".places").select_option("110000")
        assert section.locator(".readout").inner_text() == "Beijing: 0.900 (2022)"

    def test_clusters_are_filtered_by_field_on_map_and_in_table(self, page):
        section, lists = page.locator("#map-clusters"), load_clusters()
        wanted = lists[
            (lists["programme"] == "national_advanced_manufacturing") & (lists["field_en"] == "New materials")
        ]
        section.locator("select[data-column='1']").select_option(label=wanted["programme_en"].iloc[0])
        section.locator("select[data-column='2']").select_option(label="New materials")
        section.locator("summary").click()
        assert section.locator("tbody tr:visible").count() == len(wanted) > 2
        cities = set(wanted["adcodes"].str.split(";").explode())
        sizes = section.locator(".circles circle").evaluate_all(
            "all => all.map(c => [c.dataset.u, +c.getAttribute('r')])"
        )
        assert {code for code, r in sizes if r > 0} == cities

    def test_a_link_is_read_from_the_city_at_its_end(self, page):
        section = page.locator("#map-links")
        section.locator(".places").select_option(label="Shanghai")
        marked = section.locator(".links path.on")
        rows = section.locator('tbody tr[data-u*="310000"]').count()
        assert marked.count() == rows > 2
        assert section.locator(".readout").inner_text().startswith("Shanghai: ")

    def test_a_table_is_sorted_by_a_head_with_what_is_missing_last(self, page):
        section = page.locator("#map-index")
        section.locator("summary").click()
        head = section.get_by_role("columnheader", name="2023")
        for order, first in (("descending", "0.900"), ("ascending", "0.050")):
            head.get_by_role("button").click()
            assert head.get_attribute("aria-sort") == order
            cells = section.locator("tbody tr td:last-child").all_inner_texts()
            assert cells[0] == first and cells[-4:] == ["–"] * 4

    def test_maps_can_be_read_without_a_script(self, browser, site):
        context = browser.new_context(java_script_enabled=False, offline=True)
        page = context.new_page()
        page.goto((site / "maps.zh.html").as_uri())
        assert page.locator("svg.map").count() == 4 and not page.locator(".controls").first.is_visible()
        page.locator("#map-index summary").click()
        assert page.locator("#map-index tbody tr:visible").count() == 34
        context.close()
