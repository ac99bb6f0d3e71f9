"""What stands around the code for people and services: how to cite and to take part, workflows, forms, Binder."""

from __future__ import annotations

import csv
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from conftest import LENGTHY, LONGEST, SLOW

import clusterlib

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
GUIDES = [ROOT / "CONTRIBUTING.md", ROOT / "CONTRIBUTING.zh.md"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
STEM = {"ids": lambda path: path.stem}


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_citation_is_one_by_the_citation_file_format():
    cited = read(ROOT / "CITATION.cff")
    # https://github.com/citation-file-format/citation-file-format, schema 1.2.0.
    must, may = {"cff-version", "message", "title", "authors"}, {"abstract", "date-released", "keywords", "license"}
    assert must <= cited.keys() <= must | may | {"repository-code", "type", "url", "version"}
    assert cited["cff-version"] == "1.2.0" and cited["type"] == "software"
    # A group has a name, a person given and family names.
    assert all(author.keys() == {"name"} or author.keys() >= {"given-names"} for author in cited["authors"])
    assert len(set(cited["keywords"])) == len(cited["keywords"])


def test_the_citation_agrees_with_the_package():
    cited = read(ROOT / "CITATION.cff")
    assert cited["version"] == clusterlib.__version__
    assert cited["license"] == PYPROJECT["license"]
    assert [author["name"] for author in cited["authors"]] == [author["name"] for author in PYPROJECT["authors"]]


@pytest.mark.parametrize("path", WORKFLOWS, **STEM)
def test_each_step_of_a_workflow_uses_an_action_of_one_version_or_runs_what_is_here(path):
    workflow = read(path)
    # To YAML 1.1 the word on is a truth.
    assert workflow["name"] == path.stem and workflow[True] and workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["runs-on"] and job["steps"]
        assert set(job.get("needs", "").split()) <= workflow["jobs"].keys()
        for step in job["steps"]:
            assert len({"uses", "run"} & step.keys()) == 1
            assert re.fullmatch(r"actions/[a-z-]+@v[0-9]+", step.get("uses", "actions/none@v1"))
            assert set(re.findall(r"^make ([a-z-]+)", step.get("run", ""), flags=re.MULTILINE)) <= TARGETS


def test_the_tests_of_the_service_are_those_of_the_script():
    (job,) = read(ROOT / ".github" / "workflows" / "test.yml")["jobs"].values()
    ((script, *targets),) = [step["run"].split(maxsplit=1) for step in job["steps"] if "run" in step]
    assert script == ".ci/run" and {*re.findall(r"'(test[a-z-]*)'", targets[0])} == {"test", "test-all"} <= TARGETS
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_each_file_and_test_that_a_layer_names_is_there():
    files = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py")}
    tests = {name for text in files.values() for name in re.findall(r"def (test_\w+)", text)}
    assert (SLOW | LENGTHY | {*LONGEST}) - files.keys() - tests == set() == SLOW & LENGTHY


@pytest.mark.parametrize("path", FORMS, **STEM)
def test_each_form_asks_in_both_languages(path):
    form = read(path)
    for text in (form["name"], form["description"]):
        assert re.search(r"[A-Za-z]", text) and re.search(r"[\u4e00-\u9fff]", text)
    fields = form["body"]
    assert all(field["type"] in {"input", "textarea"} and field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)
    labels = [field["attributes"]["label"] for field in fields]
    assert len(set(labels)) == len(labels)


def test_data_taken_under_a_licence_come_with_its_text():
    with (ROOT / "data" / "raw" / "sources.csv").open(encoding="utf-8", newline="") as sources:
        terms = [row["licence"] for row in csv.DictReader(sources)]
    holders = {holder for text in terms for holder in re.findall(r"Copyright \(c\) .*", text)}
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "data" / "raw" / "licences").glob("*.txt")]
    assert holders and all(any(holder in text for text in texts) for holder in holders)


def test_both_guides_name_the_same_commands_and_files():
    named = [set(re.findall(r"`([^`\n]+)`", path.read_text(encoding="utf-8"))) for path in GUIDES]
    assert {name for name in named[0] ^ named[1] if not re.search(r"extra", name)} == set()
    blocks = [re.findall(r"^([^#\n]+?) +#", path.read_text(encoding="utf-8"), flags=re.MULTILINE) for path in GUIDES]
    assert blocks[0] == blocks[1] and len(blocks[0]) >= 3


@pytest.mark.parametrize("path", GUIDES, **STEM)
def test_what_a_guide_names_is_there(path):
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= TARGETS
    named = set(re.findall(r"\w[\w./]*\.(?:md|toml|yml|py)\b|\b(?:tests|benchmarks)/[\w/]*", text))
    assert len(named) >= 5
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_binder_installs_what_is_locked_and_the_project():
    folder = ROOT / ".binder"
    asked = (folder / "requirements.txt").read_text(encoding="utf-8").split()
    assert asked[0] == "-r" and (folder / asked[1]).resolve() == ROOT / "requirements.lock"
    least = PYPROJECT["requires-python"].removeprefix(">=").split(".")
    runtime = (folder / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-").split(".")
    assert [int(part) for part in runtime] >= [int(part) for part in least]
    assert os.access(folder / "postBuild", os.X_OK)
