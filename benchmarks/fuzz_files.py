"""Damage every file that is read in every way that tests/damage.py knows, and count what became of it.

``.venv/bin/python benchmarks/fuzz_files.py [study|notebooks|raw|records]`` works on copies; it ends with
1 if anything was wrong. ``--seed`` and ``--many`` (cases of each class where chance decides) make other cases.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from damage import (
    DIFFERENT,
    PLACES,
    RECORDS,
    REFUSED,
    SAME,
    STUDY,
    Found,
    copy_raw,
    copy_study,
    make_records,
    note_subjects,
    raw_subjects,
    try_all,
)

from clusterlib.paths import get_project

GROUPS = {
    "study": (copy_study, lambda project: STUDY),
    "notebooks": (copy_study, note_subjects),
    "raw": (copy_raw, raw_subjects),
    "records": (make_records, lambda project: RECORDS),
}


def tell(group: str, found: list[Found], seconds: float) -> None:
    """Print a row for each class, and what was wrong."""
    tried = Counter(one.case.name for one in found)
    outcomes = Counter((one.case.name, one.outcome) for one in found)
    wrong = [one for one in found if one.wrong]
    bad = Counter(one.case.name for one in wrong)
    print(f"\n{group}: {len(found)} cases in {seconds:.0f} s, {len(wrong)} wrong")
    print(f"{'class':<26} {'tried':>6} {'refused':>8} {'as before':>10} {'otherwise':>10} {'wrong':>6}")
    for name, count in tried.items():
        parts = [outcomes[name, outcome] for outcome in (REFUSED, SAME, DIFFERENT)]
        print(f"{name:<26} {count:>6} {parts[0]:>8} {parts[1]:>10} {parts[2]:>10} {bad[name]:>6}")
    for one in wrong:
        print(one)


def main() -> int:
    """Try all and return how many were wrong, 1 at most."""
    parser = argparse.ArgumentParser()
    parser.add_argument("groups", nargs="*", choices=[[], *GROUPS])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--many", type=int, default=1)
    given = parser.parse_args()
    if "not readable" not in PLACES:
        print("run as root, who may read everything: files that nobody may read were left out")
    every: list[Found] = []
    begin = time.perf_counter()
    for group in given.groups or GROUPS:
        copy, subjects = GROUPS[group]
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            project = copy(get_project(), Path(folder))
            found = list(try_all(project, subjects(project), given.seed, given.many))
        tell(group, found, time.perf_counter() - start)
        every += found
    tell("all", every, time.perf_counter() - begin)
    return any(one.wrong for one in every)


if __name__ == "__main__":
    sys.exit(main())
