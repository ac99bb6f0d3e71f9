"""What Tab and Shift-Tab show in a notebook: public names with their documentation, and nothing else."""

from __future__ import annotations

import inspect
import re
import types

import numpy as np
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import clusterlib as cl

MODULES = [f"cl.{name}" for name in cl.__all__ if name != "__version__"]
MODULES += ["cl.data.audit", "cl.data.boundaries", "cl.study.city_output"]
# The command's own.
USERS = [name for name in MODULES if name != "cl.run"]


@pytest.fixture(scope="module")
def shell():
    shell = InteractiveShell()
    panel = cl.data.load_panel("province", ["gdp", "resident_population"], years="2016:2022").dropna()
    logs = np.log(panel)
    index = cl.composite.composite_index(panel, weights="entropy")
    result = cl.panel.fixed_effects(logs, "gdp", ["resident_population"])
    shell.push(
        {"cl": cl, "res": result, "index": index, "test": cl.panel.effects_test(logs, "gdp", ["resident_population"])}
    )
    return shell


def completed(shell, code: str, jedi: bool) -> set[str]:
    shell.Completer.use_jedi = jedi
    with provisionalcompleter():
        found = {completion.text for completion in shell.Completer.completions(code, len(code))}
    return {text.rpartition(".")[2].removesuffix("(") for text in found}


@pytest.mark.parametrize("jedi", [False, True], ids=["plain", "jedi"])
def test_the_package_offers_its_modules(shell, jedi):
    assert completed(shell, "cl.", jedi) - {"__version__"} == set(cl.__all__) - {"__version__"}


@pytest.mark.parametrize("jedi", [False, True], ids=["plain", "jedi"])
@pytest.mark.parametrize("name", USERS)
def test_a_module_offers_what_is_its_own_and_no_name_that_it_imported(shell, name, jedi):
    module = shell.ev(name)
    offered = completed(shell, f"{name}.", jedi)
    assert offered == set(module.__all__) and not [one for one in offered if one.startswith("_")]
    for one in offered:
        value = getattr(module, one)
        # A module within is one of the package; a class or function is made in the library.
        assert str(getattr(value, "__module__", "clusterlib")).startswith("clusterlib")
        assert not isinstance(value, types.ModuleType) or value.__name__.startswith("clusterlib.")


@pytest.mark.parametrize("name", USERS)
def test_every_class_and_function_that_a_module_offers_is_documented(shell, name):
    module = shell.ev(name)
    for one in module.__all__:
        value = getattr(module, one)
        if inspect.isclass(value) or inspect.isroutine(value):
            assert re.match(r"\S", inspect.getdoc(value) or ""), f"{name}.{one}"


def test_no_error_is_left_out():
    made = {
        name
        for name, value in vars(cl.errors).items()
        if inspect.isclass(value) and value.__module__ == "clusterlib.errors"
    }
    assert made == set(cl.errors.__all__)


@pytest.mark.parametrize("jedi", [False, True], ids=["plain", "jedi"])
@pytest.mark.parametrize("name", ["res", "test", "index"])
def test_a_result_offers_its_table_and_no_name_of_the_inside(shell, name, jedi):
    offered = completed(shell, f"{name}.", jedi)
    assert {"table", "summary"} <= offered
    assert not [one for one in offered if one.startswith("_")]
    value = shell.ev(name)
    assert not [one for one in offered if isinstance(getattr(value, one), types.ModuleType)]


@pytest.mark.parametrize(
    "name", ["cl.panel.fixed_effects", "cl.data.load_panel", "cl.explore.explorer", "cl.maps.china_map"]
)
def test_shift_tab_shows_signature_and_documentation(shell, name):
    shown = shell.object_inspect_mime(name, detail_level=0)["text/plain"]
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert re.search(rf"Signature:\s+{re.escape(name)}\(", plain)
    assert "Parameters\n" in plain and "Returns\n" in plain
