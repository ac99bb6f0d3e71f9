"""What importing the package costs and touches, where its code looks for files, and its examples."""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import clusterlib

PACKAGE = Path(clusterlib.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# The process that kernels are forked from has no working directory to depend on: it gives each kernel its own.
PROCESSES = {PACKAGE / "run" / "zygote.py"}
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages([str(PACKAGE)], "clusterlib.")
    if not module.name.startswith("clusterlib.run")
)
HEAVY = ("pandas", "geopandas", "matplotlib", "numpy", "scipy", "seaborn", "pandera", "IPython")
SECONDS = 0.3

MEASURE = """
import json, sys, time
start = time.perf_counter()
import clusterlib
print(json.dumps([time.perf_counter() - start, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def fresh_import(folder: Path) -> tuple[float, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True, timeout=60, cwd=folder
    )
    return tuple(json.loads(done.stdout))


def imported_names(tree: ast.AST):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def working_directory_uses(tree: ast.AST) -> list[str]:
    """Calls and attributes whose meaning depends on the working directory."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"cwd", "getcwd", "getcwdb", "chdir", "fchdir"}:
            found.append(f"line {node.lineno}: .{node.attr}")
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            found += [f"line {node.lineno}: os.{a.name}" for a in node.names if a.name in {"getcwd", "chdir"}]
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Path":
            literal = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if not node.args or (literal and not literal[0].startswith(("/", "~"))):
                found.append(f"line {node.lineno}: relative Path")
    return found


def test_importing_clusterlib_is_quick_and_loads_no_heavy_package(tmp_path):
    runs = [fresh_import(tmp_path) for _ in range(3)]
    assert min(seconds for seconds, _ in runs) < SECONDS
    assert set(runs[0][1]) & set(HEAVY) == set()


def test_names_are_found_on_first_use_without_an_import_of_their_module(tmp_path):
    code = (
        "import sys, clusterlib as cl\n"
        "assert 'clusterlib.regions' not in sys.modules\n"
        "assert cl.regions.get_region('gba').short_en == 'GBA'\n"
        "assert 'pandas' not in sys.modules\n"
        "assert callable(cl.data.load_panel) and 'pandas' in sys.modules\n"
        "assert 'matplotlib' not in sys.modules and 'geopandas' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.stderr == ""
    assert done.returncode == 0


def test_every_submodule_that_the_package_offers_exists():
    for name in clusterlib.__all__:
        assert importlib.import_module(f"clusterlib.{name}") is getattr(clusterlib, name)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_the_library_imports_no_notebook_and_no_tests(path):
    names = list(imported_names(ast.parse(path.read_text(encoding="utf-8"))))
    assert [n for n in names if n.partition(".")[0] in {"notebooks", "tests", "import_ipynb", "ipynb"}] == []


@pytest.mark.parametrize("path", sorted({*FILES} - PROCESSES), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_the_library_does_not_depend_on_the_working_directory(path):
    assert working_directory_uses(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.getcwd()",
        "from pathlib import Path\nPath.cwd()",
        "from os import getcwd",
        "Path('data/raw')",
        "Path()",
        "import os\nos.chdir(x)",
    ],
)
def test_the_search_for_the_working_directory_finds_it(code):
    assert len(working_directory_uses(ast.parse(code))) == 1


def test_the_project_is_found_from_any_working_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("CLUSTERLIB_ROOT", raising=False)
    code = "from clusterlib.paths import get_project; print(get_project().root)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path
    )
    assert Path(done.stdout.strip()) == PACKAGE.parent


def test_a_root_without_raw_data_is_refused_by_name(tmp_path, monkeypatch):
    from clusterlib.errors import ClusterlibError
    from clusterlib.paths import get_project

    monkeypatch.setenv("CLUSTERLIB_ROOT", str(tmp_path))
    with pytest.raises(ClusterlibError) as caught:
        get_project()
    assert f"no data/raw folder under {tmp_path}" in str(caught.value)
    assert "CLUSTERLIB_ROOT" in str(caught.value)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_give_what_they_show(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_functions_that_notebooks_call_most_have_an_example():
    finder = doctest.DocTestFinder(exclude_empty=True)
    having = {test.name for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples}
    assert having >= {
        "clusterlib.data._load.load_panel",
        "clusterlib.data._load.indicator_catalogue",
        "clusterlib.data._load.trace",
        "clusterlib.regions.get_region",
        "clusterlib.results.record",
        "clusterlib.data.audit.coverage",
    }
