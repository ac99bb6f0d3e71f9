"""Whether the tests notice faults: mutants of the library, drawn at random, and the tests that execute them (变异测试).

A mutant differs from the library in one comparison, sign, logical word or number. It is noticed if one of the tests
that execute its line fails or does not end. `make coverage` says beforehand which tests those are.

    make coverage
    .venv/bin/python benchmarks/mutation.py --number 100 --seed 0 --under inequality did
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import NamedTuple

from coverage import CoverageData
from statsmodels.stats.proportion import proportion_confint

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "clusterlib"
# A test that runs longer than this on a mutant hangs, which its writer would notice.
SECONDS = 240
# Of the tests that execute a line, so many that execute the fewest lines come first: they were written for it.
FIRST = 60
SWAPPED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


class Mutant(NamedTuple):
    """A part of a file and what stands there instead."""

    file: str
    line: int
    start: int
    end: int
    before: str
    after: str


def mutated(node: ast.AST) -> ast.AST | None:
    """Return a copy of an expression with one fault, or none if it has nothing to change."""
    other = copy.deepcopy(node)
    match other:
        case ast.Compare(ops=[operator]) if type(operator) in SWAPPED:
            other.ops = [SWAPPED[type(operator)]()]
        case ast.BinOp(op=operator) if type(operator) in SWAPPED and not any(
            isinstance(part, ast.JoinedStr | ast.List) or isinstance(getattr(part, "value", None), str)
            for part in (other.left, other.right)
        ):
            other.op = SWAPPED[type(operator)]()
        case ast.BoolOp(op=operator):
            other.op = SWAPPED[type(operator)]()
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            return operand
        case ast.Constant(value=bool(value)):
            other.value = not value
        case ast.Constant(value=int(value) | float(value)):
            other.value = value + 1
        case _:
            return None
    return other


def mutants(path: Path) -> Iterator[Mutant]:
    """Yield the mutants of the functions of a file; annotations, default values and messages of errors stay."""
    content = path.read_bytes()
    starts = [0]
    for line in content.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def inside(node: ast.AST) -> Iterator[ast.AST]:
        yield node
        if isinstance(node, ast.Raise | ast.JoinedStr):
            return
        for name, value in ast.iter_fields(node):
            if isinstance(node, ast.Call) or name not in ("annotation", "returns", "args", "decorator_list"):
                for part in value if isinstance(value, list) else [value]:
                    if isinstance(part, ast.AST):
                        yield from inside(part)

    outer = [node for node in ast.parse(content).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    for node in (part for top in outer for part in inside(top) if isinstance(part, ast.expr)):
        if (other := mutated(node)) is not None:
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
            after = f"({ast.unparse(other)})"
            yield Mutant(path.relative_to(ROOT).as_posix(), node.lineno, start, end, content[start:end].decode(), after)


def tests_by_line(data: CoverageData, file: str) -> dict[int, list[str]]:
    """Return the tests that execute each line of a file, beyond loading it."""
    found = data.contexts_by_lineno(str(ROOT / file))
    return {line: sorted({c.removesuffix("|run") for c in made if c.endswith("|run")}) for line, made in found.items()}


def python(place: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run Python with the library in ``place``: -P keeps the one in this folder out."""
    env = {**os.environ, "PYTHONPATH": str(place), "CLUSTERLIB_ROOT": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, timeout=SECONDS, check=False)


def is_noticed(mutant: Mutant, tests: list[str], place: Path) -> bool:
    """Return whether a test fails on a mutant, which stands in ``place`` meanwhile."""
    path, content = place / mutant.file, (ROOT / mutant.file).read_bytes()
    path.write_bytes(content[: mutant.start] + mutant.after.encode() + content[mutant.end :])
    try:
        done = python(place, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", "-x", "-q", *tests)
    except subprocess.TimeoutExpired:
        return True
    finally:
        path.write_bytes(content)
    # 1: a test failed. Otherwise a test file could not be loaded with the mutant, or nothing was tested, as when tests
    # were renamed since their coverage was taken.
    assert done.returncode in (0, 1) or b"ERROR collecting" in done.stdout, done.stdout.decode()[-2000:]
    return done.returncode != 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--under", nargs="*", default=["."], help="parts of the package, such as inequality")
    given = parser.parse_args()
    files = {path for part in given.under for path in [PACKAGE / part, *(PACKAGE / part).rglob("*.py")]}
    every = [mutant for path in sorted(files) if path.is_file() for mutant in mutants(path)]
    data = CoverageData(str(ROOT / ".coverage"))
    data.read()
    behind = {file: tests_by_line(data, file) for file in {mutant.file for mutant in every}}
    breadth = Counter(test for lines in behind.values() for made in lines.values() for test in made)
    drawn = random.Random(given.seed).sample(every, min(given.number, len(every)))

    with tempfile.TemporaryDirectory() as folder:
        places: Queue[Path] = Queue()
        for worker in range(given.workers):
            shutil.copytree(PACKAGE, Path(folder, str(worker), "clusterlib"))
            places.put(Path(folder, str(worker)))
            loaded = python(Path(folder, str(worker)), "-c", "import clusterlib; print(clusterlib.__file__)").stdout
            assert loaded.decode().startswith(f"{folder}/{worker}/"), f"mutants would not be loaded, but {loaded}"

        def verdict(mutant: Mutant) -> str:
            tests = sorted(behind[mutant.file].get(mutant.line, []), key=lambda test: (breadth[test], test))
            said = f"not noticed by {len(tests)} tests" if tests else "not executed by a test"
            place = places.get()
            if any(part and is_noticed(mutant, part, place) for part in (tests[:FIRST], tests[FIRST:])):
                said = "noticed"
            places.put(place)
            print(f"{mutant.file}:{mutant.line}: {said}: {mutant.before} -> {mutant.after}", flush=True)
            return said.split(" by ")[0]

        with ThreadPoolExecutor(given.workers) as pool:
            found = Counter(pool.map(verdict, drawn))
    low, high = proportion_confint(found["noticed"], found["noticed"] + found["not noticed"], method="wilson")
    said = ", ".join(f"{number} {kind}" for kind, number in found.most_common())
    print(f"{len(drawn)} of {len(every)} mutants: {said}; of those executed, 95 % interval {low:.0%} to {high:.0%}")


if __name__ == "__main__":
    main()
