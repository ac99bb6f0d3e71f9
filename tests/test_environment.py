"""The lock, the conda environment and the set-up script keep to what pyproject.toml declares."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")

# conda-forge's `matplotlib` and `seaborn` add desktop toolkits and statsmodels to the packages that PyPI means.
CONDA_NAMES = {"matplotlib-base": "matplotlib", "seaborn-base": "seaborn"}


def bounds(requirements) -> dict[str, SpecifierSet]:
    parsed = [Requirement(text) for text in requirements]
    return {canonicalize_name(CONDA_NAMES.get(r.name, r.name)): r.specifier for r in parsed}


def requirements_of(extra: str) -> list[str]:
    """What an extra asks for, with what the extras that it names ask for."""
    found = []
    for text in PYPROJECT["project"]["optional-dependencies"][extra]:
        asked = Requirement(text)
        own = asked.name == PYPROJECT["project"]["name"]
        found += [text for name in sorted(asked.extras) for text in requirements_of(name)] if own else [text]
    return found


def declared() -> dict[str, SpecifierSet]:
    return bounds([*PYPROJECT["project"]["dependencies"], *requirements_of("dev")])


def locked() -> list[tuple[str, str, int]]:
    """Name, version and number of hashes of each locked package; one named for several Pythons comes several times."""
    entries = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    heads = [re.match(r"(\S+)==(\S+)", entry) for entry in entries]
    assert all(heads), "an entry of requirements.lock is not pinned with =="
    return [
        (canonicalize_name(head[1]), head[2], len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry)))
        for head, entry in zip(heads, entries, strict=True)
    ]


def test_conda_environment_has_the_packages_and_bounds_of_the_project():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    from_pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    conda = bounds(entry for entry in listed if isinstance(entry, str))
    assert conda.pop("python") == SpecifierSet(PYPROJECT["project"]["requires-python"])
    conda.pop("pip")
    assert from_pip.pop() == "-e ."
    assert conda | bounds(from_pip) == declared()


def test_developers_and_the_lock_have_every_extra():
    for extra in PYPROJECT["project"]["optional-dependencies"]:
        assert bounds(requirements_of(extra)).items() <= declared().items(), extra


def test_the_readme_says_what_each_package_is_for_and_which_extra_brings_it():
    project, text = PYPROJECT["project"], (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("| package | extra | what for |")[2].partition("\n\n")[0]
    told = {}
    for names, extra in re.findall(r"^\| ([a-z][\w, -]*) \| ?`?(\w*)`? \|", table, flags=re.MULTILINE):
        told |= {canonicalize_name(name): extra for name in names.split(", ")}
    extras = {"": project["dependencies"], **project["optional-dependencies"]}
    own = {extra: [text for text in of if Requirement(text).name != project["name"]] for extra, of in extras.items()}
    assert told.keys() == declared().keys()
    assert [name for name, extra in told.items() if name not in bounds(own[extra])] == []


def test_no_package_is_asked_for_by_the_library_and_by_an_extra():
    core = bounds(PYPROJECT["project"]["dependencies"])
    assert not core.keys() & bounds(requirements_of("dev")).keys()


def test_no_package_comes_from_both_conda_and_pip():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    from_pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    assert not bounds(entry for entry in listed if isinstance(entry, str)).keys() & bounds(from_pip[:-1]).keys()


@pytest.mark.parametrize(("name", "bound"), declared().items(), ids=declared())
def test_lock_satisfies_each_bound_of_the_project(name, bound):
    versions = [version for other, version, _ in locked() if other == name]
    assert versions, f"{name} is not in requirements.lock: run make lock"
    assert all(version in bound for version in versions), f"{versions} is outside {bound}: run make lock"


def test_lock_holds_the_build_backend_so_that_installing_the_project_fetches_nothing():
    for name, bound in bounds(PYPROJECT["build-system"]["requires"]).items():
        assert declared()[name] == bound


def test_lock_has_hashes_for_every_package():
    assert [name for name, _, hashes in locked() if not hashes] == []


def test_lock_names_no_host_and_no_path():
    text = re.sub(r"--hash=sha256:[0-9a-f]+", "", LOCK)
    assert re.findall(r"\S*://\S*|file:\S*|\s@\s|--(?:index|extra-index|find)\S*|(?:^|\s)[./~]\S*/\S*", text) == []


# The set-up script, with a stand-in for uv that makes a bare environment and writes down what it was asked.

FAKE_UV = f"""#!/bin/sh
echo "$@" >>"$CALLS"
case "$*" in
    venv*) {sys.executable} -m venv --without-pip .venv ;;
    *requirements.lock) [ ! -e "$CALLS.broken" ] ;;
    *"-e .") pwd >"$(echo .venv/lib/python*/site-packages)/clusterlib.pth" ;;
esac
"""


class Checkout:
    """A copy of what the set-up reads, and the calls that the set-up made."""

    def __init__(self, folder: Path):
        self.folder = folder / "checkout"
        self.calls_file = folder / "calls"
        self.broken = folder / "calls.broken"
        tools = folder / "tools"
        tools.mkdir()
        (tools / "uv").write_text(FAKE_UV)
        (tools / "uv").chmod(0o755)
        (self.folder / "scripts").mkdir(parents=True)
        shutil.copy(ROOT / "scripts/setup.sh", self.folder / "scripts")
        for name in ("pyproject.toml", "requirements.lock"):
            (self.folder / name).write_text(name)
        self.env = {"PATH": f"{tools}:{os.environ['PATH']}", "CALLS": str(self.calls_file), "PYTHON": sys.executable}

    def setup(self, **env: str) -> tuple[subprocess.CompletedProcess, list[str]]:
        self.calls_file.write_text("")
        command = [self.folder / "scripts/setup.sh"]
        run = subprocess.run(command, env=self.env | env, capture_output=True, text=True, timeout=120)
        return run, self.calls_file.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    return Checkout(tmp_path)


def kinds(calls: list[str]) -> list[str]:
    return ["venv" if c.startswith("venv") else "project" if c.endswith("-e .") else "packages" for c in calls]


def test_setup_does_nothing_when_all_is_current(checkout):
    first, calls = checkout.setup()
    assert (first.returncode, kinds(calls)) == (0, ["venv", "packages", "project"]), first.stderr
    again, calls = checkout.setup()
    assert (again.returncode, again.stdout, calls) == (0, "", [])


def test_setup_starts_afresh_when_the_lock_changed(checkout):
    checkout.setup()
    (checkout.folder / "requirements.lock").write_text("changed")
    (checkout.folder / ".venv/stale").touch()
    _, calls = checkout.setup()
    assert kinds(calls) == ["venv", "packages", "project"]
    assert not (checkout.folder / ".venv/stale").exists()


def test_setup_installs_only_the_project_again_when_only_pyproject_changed(checkout):
    checkout.setup()
    (checkout.folder / "pyproject.toml").write_text("changed")
    assert kinds(checkout.setup()[1]) == ["project"]
    assert checkout.setup()[1] == []


def test_setup_starts_afresh_when_the_checkout_was_moved(checkout):
    checkout.setup()
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("moved"))
    assert kinds(checkout.setup()[1]) == ["venv", "packages", "project"]


def test_setup_starts_afresh_when_the_interpreter_is_gone(checkout):
    checkout.setup()
    (checkout.folder / ".venv/bin/python").unlink()
    assert kinds(checkout.setup()[1]) == ["venv", "packages", "project"]


def test_setup_that_failed_is_not_taken_for_a_finished_one(checkout):
    checkout.broken.touch()
    # Without pip to fall back on, nothing can be installed.
    failed, _ = checkout.setup(PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="0")
    assert failed.returncode != 0
    assert "could not be installed" in failed.stderr
    checkout.broken.unlink()
    recovered, calls = checkout.setup()
    assert (recovered.returncode, kinds(calls)) == (0, ["venv", "packages", "project"])


def test_setup_compiles_bytecode_and_checks_hashes(checkout):
    _, calls = checkout.setup()
    packages = next(c for c in calls if c.endswith("requirements.lock"))
    assert {"--compile-bytecode", "--require-hashes"} <= set(packages.split())


def test_setup_names_the_project_in_plain_ascii_whatever_its_path(checkout):
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("我的 项目"))
    run, _ = checkout.setup()
    (path,) = checkout.folder.glob(".venv/lib/python*/site-packages/clusterlib.pth")
    assert (path.parent / path.read_text().strip()).resolve() == checkout.folder, run.stderr
    assert path.read_bytes().isascii()


def test_setup_says_which_python_it_needs(checkout, tmp_path):
    old = tmp_path / "python-old"
    old.write_text("#!/bin/sh\nexit 0\n")
    old.chmod(0o755)
    run, calls = checkout.setup(PYTHON=str(old))
    assert (run.returncode, calls) == (1, [])
    assert "Python 3.11 or newer is needed" in run.stderr
