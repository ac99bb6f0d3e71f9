"""The documentation: its commands, code and words hold; what is built has every name, and its links lead somewhere."""

from __future__ import annotations

import ast
import csv
import os
import re
import shutil
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml
from test_readme import carry_out

import clusterlib as cl
from clusterlib.paths import ROOT_VARIABLE, get_project

ROOT = get_project().root
DOCS = ROOT / "docs"
PACKAGE = Path(cl.__file__).parent
PAGES = {
    path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8")
    for path in DOCS.rglob("*.md")
    if path.relative_to(DOCS).parts[0] not in ("_build", "generated")
}
PAIRED = sorted(name for name in PAGES if name.endswith(".zh.md"))
# What is left alone: what sets a terminal up, and what runs for as long as the whole report.
PREPARED = {"source .venv/bin/activate"}


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", PAGES[name], flags=re.S | re.M)


def commands(name: str) -> list[str]:
    """The commands of a page, also those that building it carries out, whatever language they answer in."""
    lines = [line for block in blocks(name, r"\{?console\}?") for line in block.splitlines()]
    return [line.removeprefix("$ ").removesuffix(" --language zh") for line in lines if line.startswith("$ ")]


@pytest.mark.parametrize("name", PAIRED)
def test_both_languages_of_a_page_have_the_same_commands_and_code(name):
    other = name.replace(".zh.md", ".md")
    assert commands(name) == commands(other)

    def code(page):
        return [re.sub(r"\s+#.*", "", block) for language in ("python", "yaml") for block in blocks(page, language)]

    assert code(name) == code(other)
    assert len(re.findall(r"^#+ ", PAGES[name], flags=re.M)) == len(re.findall(r"^#+ ", PAGES[other], flags=re.M))


@pytest.mark.parametrize("name", sorted(PAGES))
def test_files_that_a_page_points_to_are_there(name):
    for place in re.findall(r"\]\((?!https?:|#)([^)#]+)", PAGES[name]):
        if not place.startswith(("generated/", "../generated/")):
            assert (DOCS / name).parent.joinpath(place).exists(), place


def test_targets_of_make_are_there():
    told = {line for name in PAGES for line in commands(name) if line.startswith("make ")}
    told |= {found for text in PAGES.values() for found in re.findall(r"`(make [a-z]+)`", text)}
    assert {"make data", "make report", "make lab"} <= told
    for line in sorted(told):
        done = subprocess.run([*line.split(), "-n"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_terms_are_told_in_both_languages_and_lead_to_what_is_there():
    groups = yaml.safe_load((DOCS / "glossary.yml").read_text(encoding="utf-8"))
    claims = {claim.id for claim in cl.claims.load_claims()}
    terms = [term for group in groups for term in group["terms"]]
    assert {"数据沉睡症", "架构失调症", "生态自闭症", "治理失衡症"} <= {term["zh"] for term in terms}
    for term in terms:
        assert re.search(r"[\u4e00-\u9fff]", term["zh"] + term["is"]["zh"]), term
        assert not re.search(r"[\u4e00-\u9fff]", term["en"] + term["is"]["en"]), term
        assert term.get("claim", "data_dormancy") in claims
        if name := term.get("name"):
            module, _, function = name.partition(".")
            assert callable(getattr(getattr(cl, module), function))


@pytest.mark.notebooks
def test_the_commands_of_the_start_and_the_tutorial_run_one_after_the_other(project):
    for path in (ROOT / "notebooks").glob("*.*"):
        (project.notebooks / path.name).symlink_to(path)
    place = project.root, {**os.environ, ROOT_VARIABLE: str(project.root)}
    notebook = project.notebooks / "31_broadband_gap.ipynb"
    for line in [*commands("start.md"), *commands("tutorial.md")]:
        if line in PREPARED or line.startswith("make "):
            continue
        name = line.split()[1]
        said = carry_out(place, line, expected={"compare": (1,), "doctor": (0, 1)}.get(name, (0,)))
        if name == "new-notebook":
            given = nbformat.read(notebook, as_version=4)
            code = [cell for cell in given.cells if cell.cell_type == "code"][1:]
            for cell, source in zip(code, blocks("tutorial.md", "python"), strict=True):
                cell.source = source.rstrip()
            nbformat.write(given, notebook)
            (caption,) = blocks("tutorial.md", "yaml")
            notebook.with_suffix(".yml").write_text(caption, encoding="utf-8")
        if name == "compare":
            assert re.search(r"[1-9]\d* of \d+ differ", said)
    for page, title in (("", "Variance of the last year"), (".zh", "末年方差与首年方差之比")):
        assert title in (project.reports / "yrd" / f"31_broadband_gap{page}.html").read_text(encoding="utf-8")
    assert {path.parent.name for path in project.reports.glob("*/31_broadband_gap.html")} >= set(cl.regions.REGIONS)


@pytest.mark.notebooks
def test_own_figures_go_from_a_sheet_into_a_run_and_a_bundle_as_the_guides_say(own_project):
    root = own_project.root
    for name in ("report", "tests"):
        (root / name).symlink_to(ROOT / name)
    for path in (ROOT / "notebooks").glob("*.*"):
        (own_project.notebooks / path.name).symlink_to(path)
    place = root, {**os.environ, ROOT_VARIABLE: str(root)}
    lines = [*commands("own-data/use.md"), *commands("own-data/sharing.md")]
    # Fewer permutations than a result needs: what is asked is whether the run goes through.
    said = [carry_out(place, line + " --param permutations=99" * ("--notebook" in line)) for line in lines]
    assert "wrote data/own/province/年末常住人口.csv" in said[0]
    assert (root / "reports" / "runs" / "mine" / "yrd" / "21_own_indicator.html").exists()
    assert "imported figures (province.年末常住人口)" in said[-1]


class Links(HTMLParser):
    """The addresses that a page refers to or loads, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif given.get("src") or (tag == "link" and given.get("href")):
            self.loaded.append(given.get("src") or given["href"])


def made_before() -> bool:
    """Whether `make docs` has come to its end since anything that the pages are made of was changed."""
    end = DOCS / "_build" / "complete"
    sources = [path for path in DOCS.rglob("*") if path.relative_to(DOCS).parts[0] not in ("_build", "generated")]
    for part in ("clusterlib", "data/raw", "data/study", "notebooks", "tests/sheets"):
        sources += (ROOT / part).rglob("*")
    files = (path for path in sources if path.is_file() and path.suffix != ".pyc")
    return end.exists() and max(path.stat().st_mtime for path in files) < end.stat().st_mtime


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The pages as ``make docs`` writes them, of a copy of their sources unless it has just done so."""
    pytest.importorskip("sphinx", reason="needs the extra docs")
    if made_before():
        return DOCS / "_build" / "html"
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(DOCS, folder / "docs", ignore=shutil.ignore_patterns("_build", "generated", "__pycache__"))
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "docs", "html"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(built):
    return {
        path: Links(path.read_text(encoding="utf-8"))
        for path in built.rglob("*.html")
        # The theme's own parts.
        if "_static" not in path.parts
    }


@pytest.mark.notebooks
def test_every_link_and_anchor_of_the_pages_resolves_and_nothing_is_loaded_from_elsewhere(built, pages):
    wrong = []
    for path, page in pages.items():
        for address in [*page.links, *page.loaded]:
            parts = urlsplit(address)
            if parts.scheme == "https" and address in page.links:
                continue
            target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            there = parts.scheme == "data" or (not parts.scheme and not parts.netloc and target.exists())
            if not there or (target in pages and unquote(parts.fragment) not in pages[target].anchors):
                wrong.append(f"{path.relative_to(built)}: {address}")
    assert wrong == [], wrong[:20]


@pytest.mark.notebooks
def test_every_public_name_is_in_the_reference(pages):
    anchors = set().union(*(page.anchors for page in pages.values()))
    for stub in PACKAGE.rglob("__init__.pyi"):
        package = ".".join(("clusterlib", *stub.parent.relative_to(PACKAGE).parts))
        package = package.replace("clusterlib.study.", "clusterlib.")
        for node in ast.parse(stub.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                missing = [alias.name for alias in node.names if f"{package}.{alias.name}" not in anchors]
                assert missing == [], package


@pytest.mark.notebooks
def test_every_indicator_of_the_catalogue_is_in_the_dictionary_with_its_unit_and_names(built):
    with (ROOT / "data/raw/catalogue.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    levels = {row["level"] for row in rows}
    shown = {level: (built / f"generated/data-{level}.html").read_text(encoding="utf-8") for level in levels}
    for row in rows:
        assert f'id="{row["level"]}-{row["indicator"].replace("_", "-")}"' in shown[row["level"]]
        assert row["name_zh"] in unescape(shown[row["level"]]), row["indicator"]


@pytest.mark.notebooks
def test_pages_name_their_language_and_lead_to_the_other(built):
    for name in PAIRED:
        page = (built / name).with_suffix(".html").read_text(encoding="utf-8")
        other = (built / name.replace(".zh.md", ".html")).read_text(encoding="utf-8")
        assert re.search(r'<html[^>]* lang="zh-CN"', page) and re.search(r'<html[^>]* lang="en"', other)
        assert f'href="{Path(name).stem.removesuffix(".zh")}.html"' in page
        assert f'href="{Path(name).stem}.html"' in other


@pytest.mark.notebooks
@pytest.mark.parametrize("name", sorted(name for name in PAGES if name.startswith("own-data/")))
def test_guides_to_own_data_show_what_their_commands_answer(built, name):
    page = unescape(re.sub(r"<[^>]+>", "", (built / name).with_suffix(".html").read_text(encoding="utf-8")))
    told = blocks(name, r"\{console\}")
    refused = sum(":refused:" in block for block in told)
    listed = sum("clusterlib imported" in block for block in told)
    answers = re.findall(r"^(wrote data/own/|已写入 data/own/|already imported|已导入过|error: )", page, flags=re.M)
    assert answers.count("error: ") == refused
    assert len(answers) == len(told) - listed
