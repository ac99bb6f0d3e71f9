"""What importing the package costs and touches, where its code looks for files, and its examples."""

from __future__ import annotations

import ast
import doctest
import importlib
import itertools
import json
import pkgutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

import clusterlib
from clusterlib.paths import get_project

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


# What stands on a floor of the house may import what stands below it, and nothing above.
FLOORS = yaml.safe_load((get_project().root / "docs" / "floors.yml").read_text(encoding="utf-8"))
METHODS = {*FLOORS["methods"]}
ABOVE_METHODS = {room for floor in ("run", "publish", "study", "data") for room in FLOORS[floor]}
PUBLIC_PACKAGES = sorted(name for name in clusterlib.__all__ if (PACKAGE / name).is_dir())


def module_of(path: Path) -> str:
    parts = ("clusterlib", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports_of(path: Path, *, at_once: bool = False) -> set[str]:
    """The modules of the library that a module imports, but for its types; ``at_once`` leaves out functions' own."""
    tree, found = ast.parse(path.read_text(encoding="utf-8")), set()
    waiting: list[ast.AST] = [node for node in tree.body if not is_for_types(node)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name in NAMES else HOMES.get(name, node.module))
        if not (at_once and isinstance(node, (ast.FunctionDef, ast.Lambda))):
            waiting += ast.iter_child_nodes(node)
    return {name for name in found if name.partition(".")[0] == "clusterlib"}


def homes() -> dict[str, str]:
    """The module that each name of a package's stub comes from."""
    found = {}
    for stub in PACKAGE.rglob("*.pyi"):
        package = module_of(stub.with_suffix(".py"))
        for node in ast.parse(stub.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                found |= {f"{package}.{alias.name}": f"{package}.{node.module}" for alias in node.names}
    return found


NAMES = {module_of(path) for path in FILES}
HOMES = homes()
SHORT = {"ids": lambda path: path.relative_to(PACKAGE).as_posix()}


def floor_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def part_of(name: str) -> str:
    return [*name.split("."), ""][1]


@pytest.mark.parametrize("path", [path for path in FILES if floor_of(path) == "core"], **SHORT)
def test_the_core_stands_on_errors_alone(path):
    assert {part_of(name) for name in imports_of(path)} <= {"core", "errors"}


@pytest.mark.parametrize("path", [path for path in FILES if floor_of(path) in METHODS], **SHORT)
def test_methods_know_no_data_no_region_no_figure_and_no_page(path):
    assert {part_of(name) for name in imports_of(path)} & ABOVE_METHODS == set()


@pytest.mark.parametrize("path", [path for path in FILES if floor_of(path) != "run"], **SHORT)
def test_nothing_but_the_command_knows_the_runner(path):
    assert "run" not in {part_of(name) for name in imports_of(path)}


def test_every_module_stands_on_a_floor():
    assert {floor_of(path) for path in FILES} == {"__init__", *itertools.chain(*FLOORS.values())}


def test_no_modules_import_each_other_in_a_circle():
    graph = {module_of(path): imports_of(path, at_once=True) & NAMES - {module_of(path)} for path in FILES}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("name", PUBLIC_PACKAGES)
def test_a_package_shows_what_is_public_and_nothing_else(name):
    package = importlib.import_module(f"clusterlib.{name}")
    shown = dir(package)
    assert shown == sorted(package.__all__) and shown
    assert [one for one in shown if one.startswith("_")] == []
    for one in shown:
        assert getattr(package, one) is not None
    # Whatever of it is loaded by then.
    assert dir(importlib.import_module(f"clusterlib.{name}")) == shown


@pytest.mark.parametrize("name", PUBLIC_PACKAGES)
def test_a_module_without_an_underscore_is_one_that_its_package_shows(name):
    if name == "run":
        pytest.skip("the runner is the command's own")
    package = importlib.import_module(f"clusterlib.{name}")
    modules = {path.stem for path in (PACKAGE / name).glob("*.py") if not path.stem.startswith("_")}
    assert modules <= set(package.__all__)


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
