"""What is built to be installed: whole, at work outside a checkout, and with the packages of the library alone."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import clusterlib
from clusterlib.paths import ROOT_VARIABLE, get_project

ROOT = get_project().root
PACKAGE = ROOT / "clusterlib"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LARGEST_MB = 2
BUILD = "import sys; from flit_core import buildapi; print(getattr(buildapi, sys.argv[1])(sys.argv[2]))"
# Reads no environment but what a test gives: neither the checkout nor where the tests' modules are.
PLAIN = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "CLUSTERLIB", "VIRTUAL_ENV"))}

HIDE = """
import sys
from importlib import metadata

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def distribution(name, found=metadata.distribution):
    if name in HIDDEN:
        raise metadata.PackageNotFoundError(name)
    return found(name)

sys.meta_path.insert(0, Absent())
metadata.distribution = distribution
"""

IMPORT_ALL = """
import clusterlib as cl
from clusterlib.errors import MissingExtraError

missing = {}
for name in cl.__all__:
    module = getattr(cl, name)
    for one in dir(module):
        try:
            getattr(module, one)
        except MissingExtraError as error:
            missing[f"{name}.{one}"] = str(error)
print(missing)
"""

ONE_EXAMPLE_EACH = """
import doctest, importlib, inspect, sys
import clusterlib as cl

for name in sys.argv[1:]:
    package = getattr(cl, name)
    objects = [package, *(getattr(package, one) for one in dir(package))]
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    tests = [test for one in objects for test in finder.find(one, getattr(one, "__name__", name)) if test.examples]
    print(name, runner.run(tests[0]).failed if tests else "no example")
"""

METHODS = """
    agglomeration composite did efficiency inequality inference panel spatial spatial_panel specification_curve weights
""".split()


def build(kind: str, source: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", BUILD, f"build_{kind}", folder]
    done = subprocess.run(command, cwd=source, env=PLAIN, capture_output=True, text=True, check=True, timeout=120)
    return folder / done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """An environment with the wheel, which sees the tests' packages after its own; its folder of commands."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    # Whichever of the two made the environment of the tests; for uv the file system may have no links to its cache.
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    installer = [uv, "pip", "install", "--python", python, "--link-mode=copy"]
    if not uv:
        installer = [sys.executable, "-m", "pip", "--python", python, "install"]
    subprocess.run([*installer, "-q", "--no-deps", "--no-index", wheel], check=True, timeout=120, env=PLAIN)
    (site,) = folder.glob("lib/python*/site-packages")
    paths = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (site / "packages_of_the_tests.pth").write_text("\n".join(paths) + "\n")
    return folder / "bin"


def canonical(names: Iterable[str]) -> set[str]:
    return {canonicalize_name(name) for name in names}


@pytest.fixture(scope="module")
def core_only() -> str:
    """Code that hides what an installation without extras lacks: all but the library's packages and what these need."""
    there: set[str] = set()
    waiting = PYPROJECT["dependencies"]
    while waiting:
        asked = [one for one in map(Requirement, waiting) if not one.marker or one.marker.evaluate({"extra": ""})]
        new = canonical(one.name for one in asked) - there
        there |= new
        waiting = [text for name in new for text in metadata.requires(name) or []]
    homes = metadata.packages_distributions()
    hidden = {name for name, of in homes.items() if not canonical(of) & {*there, "clusterlib"}}
    assert {"typer", "papermill", "pypandoc", "frykit", "distributed", "jupyterlab", "hypothesis"} <= hidden
    return f"HIDDEN = {hidden!r}\n{HIDE}"


def carry_out(command: list, folder: Path, expected: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=folder, env=PLAIN | env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == expected, f"{done.stdout}\n{done.stderr}"
    return done


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_file_of_the_package_and_the_licence(wheel):
    files = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = names_in(wheel)
    assert {name for name in names if ".dist-info/" not in name} == files
    assert "clusterlib/py.typed" in files
    assert [name for name in names if name.endswith("licenses/LICENSE")]
    assert wheel.stat().st_size < LARGEST_MB * 1e6


def test_the_source_archive_has_what_building_needs_and_neither_data_nor_reports(wheel, tmp_path):
    archive = build("sdist", ROOT, tmp_path / "dist")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    source = tmp_path / archive.name.removesuffix(".tar.gz")
    assert {path.name for path in source.iterdir()} == {
        "LICENSE", "PKG-INFO", "README.md", "clusterlib", "pyproject.toml"
    }  # fmt: skip
    again = build("wheel", source, tmp_path / "again")
    assert names_in(again) == names_in(wheel)
    assert archive.stat().st_size < LARGEST_MB * 1e6


def test_all_but_the_command_is_there_outside_a_checkout_and_without_extras(installed, core_only, tmp_path):
    code = f"{core_only}{IMPORT_ALL}\nprint(cl.__file__)\nprint(cl.inequality.gini([1, 2, 3, 4]))"
    said, place, gini = carry_out([installed / "python", "-c", code], tmp_path).stdout.splitlines()
    missing = ast.literal_eval(said)
    assert {name.partition(".")[0] for name in missing} <= {"report", "run"}
    assert missing["run.cli"] == 'typer is not installed: pip install "clusterlib[run]"'
    assert Path(place).is_relative_to(installed.parent)
    assert float(gini) == pytest.approx(0.25)


def test_the_command_is_installed(installed, tmp_path):
    said = carry_out([installed / "clusterlib", "--version"], tmp_path).stdout
    assert said == f"clusterlib {clusterlib.__version__}\n"


def test_figures_without_a_checkout_are_refused_in_one_line(installed, tmp_path):
    said = carry_out([installed / "clusterlib", "data"], tmp_path, expected=2)
    assert said.stdout == "" and said.stderr.count("\n") == 1
    assert ROOT_VARIABLE in said.stderr and "repository" in said.stderr


def test_a_checkout_that_is_named_gives_the_figures(installed, tmp_path):
    code = (
        "import clusterlib as cl\n"
        "panel = cl.data.load_panel('province', ['gdp'], region='yrd', years='2020:2023')\n"
        "print(panel.to_csv())"
    )
    said = carry_out([installed / "python", "-c", code], tmp_path, **{ROOT_VARIABLE: str(ROOT)}).stdout
    here = clusterlib.data.load_panel("province", ["gdp"], region="yrd", years="2020:2023")
    assert said.strip() == here.to_csv().strip() and len(here) == 16


def test_an_example_of_each_method_needs_no_extra(installed, core_only, tmp_path):
    # Some examples are of the real provinces.
    command = [installed / "python", "-c", core_only + ONE_EXAMPLE_EACH, *METHODS]
    done = carry_out(command, tmp_path, **{ROOT_VARIABLE: str(ROOT)})
    assert done.stdout.splitlines() == [f"{name} 0" for name in METHODS]


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ("run", "from clusterlib.run import main; main()"),
        ("cluster", "from clusterlib.run.cluster import connect; connect('tcp://x:1', None, [], print).__enter__()"),
        ("data", "import clusterlib as cl; cl.data.read_yearbook(sys.argv[1])"),
        ("data", "import clusterlib as cl; cl.data.build(force=True, project=cl.paths.Project(Path(sys.argv[2])))"),
    ],
)
def test_what_an_extra_brings_is_named_where_it_is_missing(extra, code, installed, core_only, raw_project):
    sheet = next((ROOT / "tests" / "sheets").glob("*.xlsx"))
    command = [installed / "python", "-c", f"{core_only}\nfrom pathlib import Path\n{code}", sheet, raw_project.root]
    said = carry_out(command, raw_project.root, expected=1, **{ROOT_VARIABLE: str(raw_project.root)}).stderr
    assert re.search(rf'\w is not installed: pip install "clusterlib\[{extra}\]"$', said.strip())
    assert not list(raw_project.processed.glob("*.parquet"))


def test_every_extra_that_the_code_names_is_declared():
    texts = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    named = {name for text in texts for name in re.findall(r'\bextra\("(\w+)"\)', text)}
    assert named and named <= PYPROJECT["optional-dependencies"].keys()
