"""Damage to the files that are read, by class, and what a reader may make of it."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from clusterlib.captions import load_captions
from clusterlib.data import boundaries
from clusterlib.data._assemble import assemble
from clusterlib.data._digital_fields import read_fields
from clusterlib.data._processed import MANIFEST, is_current, read_manifest
from clusterlib.errors import ClusterlibError, DataNotBuiltError, ProblemsError
from clusterlib.paths import ROOT_VARIABLE, Project
from clusterlib.publish.runs import read_values
from clusterlib.publish.site import write_home
from clusterlib.regions import read_regions
from clusterlib.results import load_results
from clusterlib.run.notebooks import find_notebooks
from clusterlib.run.plan import Planner, table_hashes
from clusterlib.run.steps import STEPS
from clusterlib.study._design import read_design
from clusterlib.study.claims import load_claims
from clusterlib.study.scenario._cases import read_cases

# What became of a damaged file.
REFUSED, SAME, DIFFERENT = "refused", "read as before", "read as something else"
RAW, UNNAMED, HUNG = "a raw error", "refused without naming the file", "no end"
# What may become of a class: damage that changes no meaning is read, damage that shows is refused. Other damage, such
# as a row that is gone, shows only where something else says that it should be there.
READ, SHOWS, HIDDEN = {SAME}, {REFUSED}, {REFUSED, SAME, DIFFERENT}
# Indicators with few figures, one of each level: all of them are read in a moment.
KEPT = {
    "websites", "population_density", "industrial_enterprises", "patent_applications_residents", "direct_fast_trains"
}  # fmt: skip
HASH = "0" * 64


class _TooLong(BaseException):
    """A reader that does not end."""


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def expire(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass(frozen=True)
class Subject:
    """A file and how the library reads it; ``read`` returns what can be compared.

    A record that a machine keeps (``kept``) counts as absent when it is damaged: reading it never fails.
    """

    file: str
    read: Callable[[Project], Any]
    kept: bool = False

    @property
    def kind(self) -> str:
        ending = Path(self.file).suffix
        return {".yml": "yaml", ".csv": "csv", ".bib": "bib"}.get(ending, "json")


@dataclass(frozen=True)
class Case:
    """One damage to a file: its content afterwards, or what is done to its place."""

    name: str
    content: bytes | None
    place: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Found:
    """What became of a case, and what may become of its class."""

    subject: Subject
    case: Case
    outcome: str
    told: str
    allowed: frozenset[str]

    @property
    def wrong(self) -> bool:
        return self.outcome not in self.allowed

    def __str__(self) -> str:
        return f"{self.subject.file}: {self.case.name}: {self.outcome} {self.told[:300]}"


# Damage to bytes and lines.


def _lines(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def _insert(content: bytes, chance: random.Random, what: bytes) -> bytes:
    at = chance.randrange(1, len(content))
    return content[:at] + what + content[at:]


def _cut(content: bytes, chance: random.Random) -> bytes:
    while True:
        at = chance.randrange(1, len(content.rstrip()))
        if content[at - 1 : at] != b"\n":
            return content[:at]


def _cut_at_line(content: bytes, chance: random.Random) -> bytes:
    lines = _lines(content)
    return b"".join(lines[: chance.randrange(1, len(lines))])


def _drop(content: bytes, chance: random.Random) -> bytes:
    lines = _lines(content)
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def _repeat(content: bytes, chance: random.Random) -> bytes:
    lines = _lines(content)
    at = chance.randrange(len(lines))
    return b"".join([*lines[: at + 1], *lines[at:]])


def _swap(content: bytes, chance: random.Random) -> bytes:
    lines = _lines(content)
    at = chance.randrange(len(lines) - 1)
    lines[at : at + 2] = reversed(lines[at : at + 2])
    return b"".join(lines)


def _recoded(encoding: str) -> Callable[[bytes, random.Random], bytes]:
    return lambda content, _: content.decode("utf-8").encode(encoding, "replace")


BYTES: dict[str, tuple[set[str], Callable[[bytes, random.Random], bytes]]] = {
    "byte order mark": (READ, lambda content, _: b"\xef\xbb\xbf" + content),
    "CRLF": (READ, lambda content, _: content.replace(b"\n", b"\r\n")),
    "blank line at the end": (READ, lambda content, _: content + b"\n"),
    "cut within a line": (SHOWS, _cut),
    "cut at a line": (HIDDEN, _cut_at_line),
    "line dropped": (HIDDEN, _drop),
    "line doubled": (HIDDEN, _repeat),
    "lines swapped": (HIDDEN, _swap),
    "GBK": (SHOWS, _recoded("gbk")),
    "UTF-16": (SHOWS, _recoded("utf-16")),
    "Latin-1 byte": (SHOWS, lambda content, chance: _insert(content, chance, b"\xe9")),
    "NUL byte": (SHOWS, lambda content, chance: _insert(content, chance, b"\0")),
    "empty": (SHOWS, lambda content, _: b""),
    "only blanks": (SHOWS, lambda content, _: b" \n\n"),
}


# Damage to the place of a file.


def _folder(path: Path) -> None:
    path.mkdir()


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def _circle(path: Path) -> None:
    path.symlink_to(path)


def _closed(path: Path) -> None:
    path.write_bytes(b"")
    path.chmod(0)


# Root reads what nobody may read: a link to itself fails for everyone in the same way.
PLACES = {"folder in its place": _folder, "dangling link": _dangling, "link to itself": _circle}
if os.geteuid():
    PLACES["not readable"] = _closed


# Damage to what a file says.

WORDS: dict[str, str] = {
    "null": "null",
    "list": '["a", 1]',
    "mapping": '{"a": 1}',
    "empty list": "[]",
    "huge number": "1.0e+999",
    "very long number": "9" * 5000,
    "NaN": "NaN",
    "nested deeply": "[" * 20_000 + "]" * 20_000,
    "long text": json.dumps("long " * 20_000),
    "formula": json.dumps("=cmd|' /C calc'!A0"),
    "format string": json.dumps("{x.__class__.__init__.__globals__} {0} {x!r:>{y}} {x:1000000000} %n%s"),
    "path": json.dumps("../../../../etc/passwd"),
    "markup": json.dumps("<script>alert(1)</script>"),
}
YAML_WORDS = {
    "NaN": ".nan", "yes": "yes", "date": "2024-01-01", "no date": "2024-13-45", "octal": "017", "base 60": "1:30",
    "alias": "*a", "tag": "!!python/object/apply:os.system [true]", "tab": "\t- a", "hexadecimal": "0x1F",
}  # fmt: skip
# Of the words those that no text, number, list or mapping of these files may be, whatever it was.
NEVER = {
    "null", "NaN", "huge number", "very long number", "nested deeply", "alias", "tag", "no date", "octal", "base 60",
    "date", "hexadecimal",
}  # fmt: skip


@dataclass(frozen=True)
class _Pairs:
    """A mapping with what it is to be written as, so that a key may stand in it twice."""

    pairs: list


def _nodes(value: Any, at: tuple = ()) -> Iterator[tuple]:
    yield at
    if isinstance(value, _Pairs):
        for k, (_, item) in enumerate(value.pairs):
            yield from _nodes(item, (*at, k))
    elif isinstance(value, list):
        for k, item in enumerate(value):
            yield from _nodes(item, (*at, k))


def _paired(value: Any) -> Any:
    if isinstance(value, dict):
        return _Pairs([[str(key), _paired(item)] for key, item in value.items()])
    return [_paired(item) for item in value] if isinstance(value, list) else value


def _get(value: Any, at: tuple) -> Any:
    for key in at:
        value = value.pairs[key][1] if isinstance(value, _Pairs) else value[key]
    return value


def _written(value: Any, words: dict[tuple, str], at: tuple = (), indent: str = "\n") -> str:
    if at in words:
        return words[at]
    deeper = indent + " "
    if isinstance(value, _Pairs):
        items = [
            f"{json.dumps(key, ensure_ascii=False)}: {_written(item, words, (*at, k), deeper)}"
            for k, (key, item) in enumerate(value.pairs)
        ]
        return "{" + ",".join(deeper + item for item in items) + indent + "}" if items else "{}"
    if isinstance(value, list):
        items = [_written(item, words, (*at, k), deeper) for k, item in enumerate(value)]
        return "[" + ",".join(deeper + item for item in items) + indent + "]" if items else "[]"
    return json.dumps(value, ensure_ascii=False)


def _keys(tree: Any, chance: random.Random, many: int) -> Iterator[tuple[str, Any, dict]]:
    """Keys that are gone, called otherwise or there twice."""
    mappings = [at for at in _nodes(tree) if isinstance(_get(tree, at), _Pairs) and _get(tree, at).pairs]
    for at in chance.sample(mappings, min(many, len(mappings))):
        for name in ("key gone", "key renamed", "key doubled"):
            changed = _copied(tree)
            pairs = _get(changed, at).pairs
            k = chance.randrange(len(pairs))
            if name == "key gone":
                del pairs[k]
            elif name == "key renamed":
                pairs[k][0] += "x"
            else:
                pairs.insert(k, [pairs[k][0], pairs[k][1]])
            yield name, changed, {}


def _copied(tree: Any) -> Any:
    if isinstance(tree, _Pairs):
        return _Pairs([[key, _copied(item)] for key, item in tree.pairs])
    return [_copied(item) for item in tree] if isinstance(tree, list) else tree


def _structure(subject: Subject, content: bytes, chance: random.Random, many: int) -> Iterator[Case]:
    """Damage to keys and values of a yaml or JSON file, which is written as JSON: that is yaml, too."""
    text = content.decode("utf-8")
    tree = _paired(
        yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if subject.kind == "yaml" else json.loads(text)
    )
    words = WORDS | (YAML_WORDS if subject.kind == "yaml" else {})
    places = [at for at in _nodes(tree) if at]
    # Each word at least once at a place of each depth.
    changes = list(_keys(tree, chance, many))
    for name, word in words.items():
        depths: dict[int, list[tuple]] = {}
        for at in places:
            depths.setdefault(len(at), []).append(at)
        chosen = [chance.choice(group) for group in depths.values()] + chance.sample(places, min(many, len(places)))
        changes += [(f"value: {name}", tree, {at: word}) for at in [(), *dict.fromkeys(chosen)]]
    for name, changed, replaced in changes:
        yield Case(name, (_written(changed, replaced) + "\n").encode())


def _cells(content: bytes, chance: random.Random, many: int) -> Iterator[Case]:
    """Damage to columns and cells of a csv."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))

    def write(changed: list[list[str]]) -> bytes:
        stream = io.StringIO(newline="")
        csv.writer(stream, lineterminator="\n").writerows(changed)
        return stream.getvalue().encode()

    def swapped(row: list[str], a: int, b: int) -> list[str]:
        return [row[b] if k == a else row[a] if k == b else cell for k, cell in enumerate(row)]

    for _ in range(many):
        a, b = chance.sample(range(len(rows[0])), 2)
        at = chance.randrange(1, len(rows))
        yield Case("columns swapped", write([swapped(row, a, b) for row in rows]))
        yield Case("columns swapped in a row", write([swapped(r, a, b) if k == at else r for k, r in enumerate(rows)]))
        yield Case("heads swapped", write([swapped(rows[0], a, b), *rows[1:]]))
    words = {name: json.loads(word) for name, word in WORDS.items() if word.startswith('"')} | {
        "nothing": "", "huge number": "1e999", "very long number": "9" * 5000, "NaN": "nan", "wide digits": "２０１６",
        "quotation mark": '"',
    }  # fmt: skip
    for name, word in words.items():
        for column in chance.sample(range(len(rows[0])), min(2 * many, len(rows[0]))):
            at = chance.randrange(1, len(rows))
            changed = [
                [word if (k, c) == (at, column) else cell for c, cell in enumerate(r)] for k, r in enumerate(rows)
            ]
            yield Case(f"cell: {name}", write(changed))


def allowed_for(subject: Subject, name: str) -> frozenset[str]:
    """Return what may become of a class of damage to a file."""
    if subject.kept:
        return frozenset({SAME, DIFFERENT})
    plain = name.removeprefix("value: ")
    if name in BYTES:
        found = BYTES[name][0]
    elif name in PLACES or name == "key doubled" or (plain != name and plain in NEVER):
        found = SHOWS
    elif name == "columns swapped":
        found = READ
    else:
        found = HIDDEN
    # Json has values of other kinds than these files' texts; of runs those that are there are compared.
    if subject.kind == "json" and name in {"value: null", "value: huge number"}:
        found = HIDDEN
    if subject.read is _values and name in PLACES:
        found = HIDDEN
    return frozenset(found)


def cases_of(subject: Subject, content: bytes, seed: int, many: int = 1) -> Iterator[Case]:
    """Return cases of damage to a file, ``many`` of each class where chance decides, the same ones for a seed."""
    chance = random.Random(f"{seed} {subject.file}")
    for name, (_, damage) in BYTES.items():
        for _ in range(many if name not in ("byte order mark", "CRLF", "GBK", "UTF-16", "empty") else 1):
            changed = damage(content, chance)
            if changed != content:
                yield Case(name, changed)
    for name, place in PLACES.items():
        yield Case(name, None, place)
    if subject.kind in ("yaml", "json"):
        yield from _structure(subject, content, chance, many)
    elif subject.kind == "csv":
        yield from _cells(content, chance, many)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def try_case(project: Project, subject: Subject, case: Case, before: Any, seconds: float = 60) -> Found:
    """Damage a file, read it as the library does, put it back, and say what became of it."""
    path = project.root / subject.file
    whole = path.read_bytes()
    _remove(path)
    try:
        if case.place is not None:
            case.place(path)
        else:
            path.write_bytes(case.content or b"")
        outcome, told = _outcome(project, subject, before, seconds)
    finally:
        _remove(path)
        path.write_bytes(whole)
    return Found(subject, case, outcome, told, allowed_for(subject, case.name))


def _outcome(project: Project, subject: Subject, before: Any, seconds: float) -> tuple[str, str]:
    try:
        with _limit(seconds):
            after = subject.read(project)
            return (SAME if after == before else DIFFERENT), ""
    except ClusterlibError as error:
        text = str(error)
        named = Path(subject.file).name in text or Path(subject.file).parent.name in text
        if isinstance(error, ProblemsError):
            named = any(p.file.endswith(Path(subject.file).name) and p.line >= 0 for p in error.problems)
            # Another file may be what a name that is gone is missed in.
            named = named or "data/" in text or "notebooks/" in text
        return (REFUSED if named else UNNAMED), text
    except _TooLong:
        return HUNG, f"after {seconds} s"
    except BaseException as error:
        return RAW, f"{type(error).__name__}: {error}"


# The files, and how each is read.


def _read_raw(project: Project) -> Any:
    made, boundaries.make_boundaries = boundaries.make_boundaries, lambda units: {}
    try:
        frames = assemble(project)
    finally:
        boundaries.make_boundaries = made
    return {name: frame.drop(columns="line", errors="ignore").to_json() for name, frame in frames.items()}


def _captions(name: str) -> Callable[[Project], Any]:
    def read(project: Project) -> Any:
        found = load_captions(name, project.notebooks)
        results = {key: asdict_deep(replace(each, line=0)) for key, each in found.results.items()}
        return results, {k: dict(v) for k, v in found.sources.items()}, {k: dict(v) for k, v in found.words.items()}

    return read


def _notebook(name: str) -> Callable[[Project], Any]:
    def read(project: Project) -> Any:
        (found,) = find_notebooks(project, [name])
        return asdict(replace(found, source=""))

    return read


def _results(project: Project) -> Any:
    found = load_results("01_one", "yrd", project.reports)
    return found.parameters, found.records


def _values(project: Project) -> Any:
    return read_values(project.reports)


def _plan(project: Project) -> Any:
    """All that is decided from what a machine keeps."""
    try:
        tables, current = table_hashes(read_manifest(project)), is_current(project)
    except DataNotBuiltError:
        tables, current = {}, False
    planner = Planner(project, tables)
    tasks, wrong = planner.plan(["yrd"], None, {})
    planner.hashes.save()
    write_home(project)
    html = (project.reports / "index.html").read_text(encoding="utf-8")
    return current, wrong, html, [(task.name, task.reasons, task.steps) for task in tasks]


RESULTS = "reports/yrd/01_one/results.json"
STUDY = [
    Subject("data/study/claims.yml", lambda project: load_claims()),
    Subject("data/study/design.yml", lambda project: asdict_deep(read_design(project.root))),
    Subject("data/study/regions.csv", lambda project: read_regions(project.root)),
    Subject("data/study/digital_fields.csv", lambda project: read_fields(project.root)),
    Subject("data/study/cases.csv", lambda project: read_cases(project.root)),
    Subject("data/raw/catalogue.csv", lambda project: asdict_deep(read_design(project.root))),
    Subject("data/raw/units.csv", lambda project: read_regions(project.root)),
]
RECORDS = [
    Subject(RESULTS, _results),
    Subject(RESULTS, _values),
    *(
        Subject(file, _plan, kept=True)
        for file in (
            RESULTS,
            "reports/yrd/01_one/run.json",
            "reports/yrd/02_two.failed/error.json",
            "reports/.state/hashes.json",
            "reports/.state/steps/yrd.01_one.json",
            f"data/processed/{MANIFEST}",
        )
    ),
]


def asdict_deep(value: Any) -> Any:
    """Return what frozen objects and mappings hold, in plain ones that can be compared."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: asdict_deep(getattr(value, name)) for name in value.__dataclass_fields__}
    if hasattr(value, "items"):
        return {key: asdict_deep(item) for key, item in value.items()}
    return value


def note_subjects(project: Project) -> list[Subject]:
    """Return the notebooks and caption files of a project."""
    names = sorted(path.stem for path in project.notebooks.glob("[0-9]*.ipynb"))
    captioned = [name for name in names if (project.notebooks / f"{name}.yml").exists()]
    return [
        *(Subject(f"notebooks/{name}.ipynb", _notebook(name)) for name in names),
        *(Subject(f"notebooks/{name}.yml", _captions(name)) for name in captioned),
        Subject("notebooks/words.yml", _captions(captioned[0])),
    ]


def raw_subjects(project: Project) -> list[Subject]:
    """Return the raw tables of a project."""
    paths = sorted(project.raw.rglob("*.csv"))
    return [Subject(path.relative_to(project.root).as_posix(), _read_raw) for path in paths]


def copy_study(real: Project, root: Path) -> Project:
    """Make a project of what the study and its notebooks say."""
    for part in ("study", "raw"):
        shutil.copytree(real.root / "data" / part, root / "data" / part)
    shutil.copytree(real.notebooks, root / "notebooks", ignore=shutil.ignore_patterns(".*"))
    return Project(root)


def copy_raw(real: Project, root: Path) -> Project:
    """Make a project of raw tables with a handful of their indicators, so that all of it is read in a moment."""
    shutil.copytree(real.study, root / "data" / "study")
    for path in sorted(real.raw.rglob("*.csv")):
        header, *rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
        if "indicator" in header:
            rows = [row for row in rows if row[header.index("indicator")] in KEPT]
        target = root / path.relative_to(real.root)
        if rows:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return Project(root)


def make_records(real: Project, root: Path) -> Project:
    """Make a project with two small notebooks and what a run of them would have left: one done, one failed."""
    from nbformat import v4

    for part in ("study", "raw"):
        (root / "data").mkdir(exist_ok=True)
        (root / "data" / part).symlink_to(real.root / "data" / part)
    project = Project(root)
    project.notebooks.mkdir()
    for name in ("01_one", "02_two"):
        cell = v4.new_code_cell('region: str = "yrd"', id="parameters", metadata={"tags": ["parameters"]})
        text = json.dumps(v4.new_notebook(cells=[v4.new_markdown_cell("# One", id="head"), cell]), indent=1)
        (project.notebooks / f"{name}.ipynb").write_text(text + "\n", encoding="utf-8")
    (one,) = find_notebooks(project, ["01_one"])
    folder = project.reports / "yrd" / "01_one"
    shown = {"label": "T", "heads": ["a", "b"], "rows": [["x", "1.0"]], "align": ["left", "right"]}
    said = {"label_en": "A number", "label_zh": "数", "unit": "", "note": "", "source": "", "cell": "c1"}
    records = [
        {"name": "answer", "kind": "number", "value": 42.5, **said},
        {"name": "verdict", "kind": "text", "value": "fell", "value_zh": "下降", **said},
        {"name": "trend.figure", "kind": "figure", "value": "figures/trend.figure.en.png",
         "value_zh": "figures/trend.figure.zh.png", "alt": "A line.", "alt_zh": "折线。", **said},
        {"name": "shares", "kind": "table", "shown": shown, "shown_zh": shown, **said,
         "value": {"index": ["year"], "columns": ["total"], "data": [[2020, 0.5], [2021, None]]}},
    ]  # fmt: skip
    results = {
        "notebook": "01_one", "region": "yrd", "parameters": {"region": "yrd"}, "data": {"a.csv": HASH},
        "records": records,
    }  # fmt: skip
    inputs = {
        "notebook": one.digest, "parameters": {"region": "yrd"},
        "code": {"errors.py": HASH}, "data": {"city": HASH},
    }  # fmt: skip
    run = {
        "notebook_sha256": HASH, "parameters": {"region": "yrd"}, "changed": [],
        "started_at": "2026-01-01T00:00:00+00:00",
        "seconds": 1.5, "memory_mb": 12.0, "commit": "", "python": "3.11.7", "packages": {"numpy": "2"},
        "inputs": inputs,
        "outputs": {"results.json": HASH},
    }  # fmt: skip
    error = {
        **dict.fromkeys(("advice", "traceback", "parameters"), ""), "notebook": "02_two", "region": "yrd", "cell": "c1",
        "number": 1, "line": "1/0", "error": "ZeroDivisionError",
    }  # fmt: skip
    manifest = {
        "built_at": "2026",
        "commit": "",
        "packages": {},
        "builder": HASH,
        "inputs": {"data/raw/a.csv": HASH},
        "boundaries": {"crs": "EPSG:4326"},
        "outputs": {"city.parquet": {"sha256": HASH, "rows": 1, "columns": 1}},
    }
    steps = {STEPS[0].name: {"made_from": {"run": HASH}, "outputs": {"01_one.html": HASH}}}
    hashes = {str(folder / "results.json"): [HASH, 10, 10, 10]}
    for path, content in {
        folder / "results.json": results,
        folder / "run.json": run,
        project.reports / "yrd" / "02_two.failed" / "error.json": error,
        project.reports / ".state" / "steps" / "yrd.01_one.json": steps,
        project.reports / ".state" / "hashes.json": hashes,
        project.processed / MANIFEST: manifest,
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return project


def try_all(
    project: Project, subjects: list[Subject], seed: int, many: int = 1, at_most: int | None = None
) -> Iterator[Found]:
    """Try every case of damage to these files, or ``at_most`` of each file: one of each class, as far as they go."""
    with _root(project):
        for subject in subjects:
            before = subject.read(project)
            content = (project.root / subject.file).read_bytes()
            cases = list(cases_of(subject, content, seed, many))
            if at_most is not None:
                classes = {case.name: case for case in random.Random(seed).sample(cases, len(cases))}
                cases = random.Random(seed).sample(list(classes.values()), min(at_most, len(classes)))
            for case in cases:
                yield try_case(project, subject, case, before)


@contextlib.contextmanager
def _root(project: Project) -> Iterator[None]:
    old = os.environ.get(ROOT_VARIABLE)
    os.environ[ROOT_VARIABLE] = str(project.root)
    try:
        yield
    finally:
        if old is None:
            del os.environ[ROOT_VARIABLE]
        else:
            os.environ[ROOT_VARIABLE] = old
