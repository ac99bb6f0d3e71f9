"""The site in one file: the same bytes each time, nothing that dies, and nothing half written."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from clusterlib.errors import ClusterlibError, UnknownNameError
from clusterlib.publish.bundle import bundle
from clusterlib.run.cli import app

HEAD = (
    '<!doctype html><html lang="{}"><head><title>{} &amp; more</title><link rel="stylesheet" href="{}assets/site.css">'
)
FRAME = HEAD + '</head><body><nav><a href="index.html">Home</a></nav><main id="main"><h1>{}</h1>{}</main></body></html>'
BODY = """
<h2 id="one">One &lt; two</h2><img src="06_spatial/figures/a.en.png" alt="A &amp; B">
<p><a href="index.html">region</a> <a href="#one">up</a> <a href="06_spatial.html#one">here</a>
<a href="../gba/index.html">other</a> <a href="06_spatial/figures/a.en.csv" download>CSV</a>
<a href="../data/p.html#L3">row</a> <a href="https://example.org/a">web</a>
<a href="06_spatial/notebook.ipynb">nb</a></p>
<script>alert(1)</script><form><button>go</button></form><p onclick="x()" aria-labelledby="one">end</p><br>"""


@pytest.fixture
def site(tmp_path) -> Path:
    reports = tmp_path / "reports"

    def write(place: str, content: str | bytes) -> None:
        path = reports / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    image = io.BytesIO()
    Image.new("RGB", (3000, 1500), "white").save(image, "png")
    write("assets/site.css", "body { color: black }")
    home = '<a href="gba/index.html">GBA</a><img src="gba/06_spatial/figures/a.en.png" alt="a">'
    write("index.html", FRAME.format("en", "Site", "", "Site", home))
    write("compare.html", FRAME.format("en", "Compare", "", "Compare", ""))
    picture = '<img src="../gba/06_spatial/figures/a.en.png" alt="a">'
    write("compare/06_spatial.html", FRAME.format("en", "Compare", "../", "Compare", picture))
    write("sweeps/06_spatial/results.parquet", "x")
    write("yrd/06_spatial.failed/error.json", "{}")
    pages = ",\n".join(f'["{place}","Title",[]]' for place in ("gba/index.html", "yrd/index.html"))
    write("assets/search.en.js", f"clusterlibSearch([\n{pages}\n]);\n")
    write("data/p.html", FRAME.format("en", "Rows", "../", "Rows", '<p id="L3">1</p>'))
    for region in ("yrd", "gba"):
        for language, infix in (("en", ""), ("zh", ".zh")):
            write(f"{region}/index{infix}.html", FRAME.format(language, region, "../", region, "text"))
            write(f"{region}/06_spatial{infix}.html", FRAME.format(language, "Spatial", "../", "Spatial", BODY))
        write(f"{region}/06_spatial/figures/a.en.png", image.getvalue())
        write(f"{region}/06_spatial/figures/a.en.csv", "x")
        write(f"{region}/06_spatial/notebook.ipynb", "{}")
    write("run.jsonl", "{}")
    write(".state/secret.json", "{}")
    write("runs/other/index.html", "other")
    return reports


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as file:
        return [part.removeprefix("clusterlib/") for part in file.namelist()]


def test_a_zip_holds_the_site_sorted_and_is_the_same_each_time(site, tmp_path):
    first, second = (bundle(site, tmp_path / name) for name in ("a.zip", "b.zip"))
    assert first.read_bytes() == second.read_bytes()
    found = names(first)
    assert found == sorted(found) and {"index.html", "gba/index.html", "data/p.html", "assets/site.css"} < set(found)
    assert "compare/06_spatial.html" in found
    left_out = [
        name for name in found if name.endswith((".ipynb", ".jsonl")) or name.startswith((".", "runs", "sweeps"))
    ]
    assert not left_out and not [name for name in found if ".failed/" in name]


def test_executed_notebooks_are_added_when_they_are_asked_for(site, tmp_path):
    assert "yrd/06_spatial/notebook.ipynb" in names(bundle(site, tmp_path / "a.zip", notebooks=True))


def test_a_zip_of_a_region_has_what_its_pages_lead_to_and_no_dead_link(site, tmp_path):
    path = bundle(site, tmp_path / "a.zip", "yrd")
    found = set(names(path))
    assert {"yrd/06_spatial.html", "data/p.html", "assets/site.css"} < found
    others = [name for name in found if name.startswith(("gba", "compare"))]
    assert others == ["gba/06_spatial/figures/a.en.png"], "the picture that the home page shows"
    with zipfile.ZipFile(path) as file:
        index = file.read("clusterlib/assets/search.en.js").decode()
        assert index == 'clusterlibSearch([\n["yrd/index.html","Title",[]]\n]);\n'
        page = file.read("clusterlib/yrd/06_spatial.html").decode()
    assert "<a>other</a>" in page and "<a>nb</a>" in page and 'href="../data/p.html#L3"' in page
    assert 'href="https://example.org/a"' in page


def test_one_page_needs_no_other_file_and_its_links_lead_within_it(site, tmp_path):
    html = bundle(site, tmp_path / "a.html", "yrd", html=True).read_text(encoding="utf-8")
    assert html == bundle(site, tmp_path / "b.html", "yrd", html=True).read_text(encoding="utf-8")
    anchors = re.findall(r' id="([^"]*)"', html)
    assert len(anchors) == len(set(anchors))
    links = re.findall(r'href="([^"]*)"', html)
    assert {link for link in links if not link.startswith("#")} == {"https://example.org/a"}
    assert {link[1:] for link in links if link.startswith("#")} <= set(anchors)
    assert not re.search(r"<(script|form|button|link)|onclick|lang=\"zh", html)
    assert 'src="data:image/webp;base64,' in html and "body { color: black }" in html and "One &lt; two" in html
    assert "<a>other</a>" in html and 'aria-labelledby="yrd-06_spatial--one"' in html and html.count("<h1>") == 2


def test_one_page_in_chinese_holds_the_chinese_pages(site, tmp_path):
    html = bundle(site, tmp_path / "a.html", "长三角", html=True, language="zh").read_text(encoding="utf-8")
    assert '<html lang="zh-Hans">' in html and 'id="yrd-06_spatial.zh--one"' in html and "目录" in html


def test_pictures_are_as_large_as_a_screen(site, tmp_path):
    html = bundle(site, tmp_path / "a.html", "yrd", html=True).read_text(encoding="utf-8")
    import base64

    with Image.open(io.BytesIO(base64.b64decode(re.findall(r'webp;base64,([^"]*)', html)[0]))) as image:
        assert image.size == (1400, 700)


def test_a_file_that_is_there_is_replaced_only_by_force(site, tmp_path):
    output = tmp_path / "a.zip"
    output.write_text("mine")
    with pytest.raises(ClusterlibError, match=r"a\.zip is there already.*--force"):
        bundle(site, output)
    assert output.read_text() == "mine"
    assert zipfile.is_zipfile(bundle(site, output, force=True))


@pytest.mark.parametrize("region", [None, "bth"])
def test_without_a_site_it_says_what_to_run_and_writes_nothing(site, tmp_path, region):
    reports = site if region else tmp_path / "none"
    with pytest.raises(ClusterlibError, match=r"no site in .*: run `clusterlib run"):
        bundle(reports, tmp_path / "a.zip", region)
    assert not list(tmp_path.glob("*.zip"))


def test_one_page_asks_for_a_region_and_knows_which_there_are(site, tmp_path):
    with pytest.raises(ClusterlibError, match=r"name it, as in `clusterlib bundle yrd --html`"):
        bundle(site, tmp_path / "a.html", html=True)
    with pytest.raises(UnknownNameError):
        bundle(site, tmp_path / "a.html", "atlantis")


def test_a_picture_that_is_gone_is_named_and_nothing_is_left(site, tmp_path):
    (site / "yrd/06_spatial/figures/a.en.png").unlink()
    with pytest.raises(ClusterlibError, match=r"yrd/06_spatial\.html needs '06_spatial/figures/a\.en\.png'"):
        bundle(site, tmp_path / "a.html", "yrd", html=True)
    assert [path.name for path in tmp_path.iterdir()] == ["reports"]


def test_the_command_refuses_another_language_in_one_line(tmp_path):
    outcome = CliRunner().invoke(app, ["bundle", "yrd", "--html", "--language", "fr", "--output", str(tmp_path / "a")])
    assert outcome.exit_code == 2 and not list(tmp_path.iterdir())
