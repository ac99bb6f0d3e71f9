"""Which clusters are digital, by one rule on their Chinese names (数字产业集群的判定规则).

The Statistical Classification of the Digital Economy and Its Core Industries (2021) sorts products, and a cluster has a
name alone. The words of ``data/study/digital_fields.csv`` tie names to classes, the same wherever a cluster is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from clusterlib.core.rows import name_of, read_rows
from clusterlib.errors import Problem, StudyError
from clusterlib.paths import get_project
from clusterlib.regions import stamps_of

FILE = "digital_fields.csv"
COLUMNS = "digital words class en zh".split()
YES, DOUBTFUL, NO = "yes", "doubtful", "no"
_FORMS = {
    "digital": ("yes|doubtful", "yes or doubtful: what no row names is no"),
    "words": ("[^;\\s]+(;[^;\\s]+)*", "words of names with ; between them"),
    "class": ("0[1-4][0-9]{2}(;0[1-4][0-9]{2})*", "core classes such as 0105 with ; between them"),
    "en": (".+", "what the words stand for"),
    "zh": (".+", "what the words stand for"),
}


class DigitalField(NamedTuple):
    """Words of a field, whether it is of the core industries, wholly or in part, and the classes it touches."""

    digital: str
    words: tuple[str, ...]
    classes: tuple[str, ...]
    en: str
    zh: str


def read_fields(root: Path) -> tuple[DigitalField, ...]:
    """Read and check the words by which clusters are called digital.

    Raises
    ------
    StudyError
        With line and column of everything that is wrong: another word than yes or doubtful, a class that is none of
        the core industries, a word that stands twice in one class or is both digital and doubtful.
    """
    path = root / "data" / "study" / FILE
    file, rows = name_of(path, root), read_rows(path, COLUMNS, root, StudyError)
    problems = [
        Problem(file, line, f"{row[column]!r}: expected {expected}", column)
        for line, row in rows.items()
        for column, (form, expected) in _FORMS.items()
        if not re.fullmatch(form, row[column])
    ]
    seen: dict[str, tuple[str, set[str], int]] = {}
    for line, row in rows.items():
        for word in row["words"].split(";"):
            digital, classes, first = seen.setdefault(word, (row["digital"], set(), line))
            if digital != row["digital"] or row["class"] in classes:
                problems.append(Problem(file, line, f"{word!r} stands in line {first} already", "words"))
            classes.add(row["class"])
    if not rows:
        problems.append(Problem(file, 1, "no field: add a row"))
    if problems:
        raise StudyError(problems)
    lists = [(row, tuple(row["words"].split(";")), tuple(row["class"].split(";"))) for row in rows.values()]
    return tuple(DigitalField(row["digital"], words, classes, row["en"], row["zh"]) for row, words, classes in lists)


@lru_cache(maxsize=8)
def _kept(root: Path, stamps: tuple) -> tuple[DigitalField, ...]:
    return read_fields(root)


def digital_fields() -> tuple[DigitalField, ...]:
    """Return the fields by whose words clusters are called digital (数字产业领域词表).

    Raises
    ------
    StudyError
        If ``data/study/digital_fields.csv`` is wrong; with line and column of each fault.

    Examples
    --------
    >>> import clusterlib as cl
    >>> fields = cl.data.digital_fields()
    >>> [field.classes for field in fields if "机器人" in field.words]
    [('0104',)]
    """
    project = get_project()
    return _kept(project.root, stamps_of(project.study / FILE))


def digital_of(names: pd.Series) -> pd.DataFrame:
    """Tell of clusters by their Chinese names whether they are digital (数字产业集群判定).

    A name with a word of a field that is of the core industries in part is doubtful, whatever else it holds: it names
    more than one field, or one that crosses the line. A name with words of core fields alone is digital.

    Parameters
    ----------
    names : Series of str
        Chinese names, such as ``name_zh`` of :func:`clusterlib.data.load_clusters`.

    Returns
    -------
    DataFrame
        By the same index: ``digital``, ``"yes"``, ``"doubtful"`` or ``"no"``, and ``digital_class``, the classes of
        all fields that are named with ``;`` between them.

    Examples
    --------
    >>> import pandas as pd
    >>> import clusterlib as cl
    >>> cl.data.digital_of(pd.Series(["机器人产业集群", "机器人及智能制造集群", "纺织集群"]))["digital"].tolist()
    ['yes', 'doubtful', 'no']
    """
    fields = digital_fields()
    rows = []
    for name in names:
        named = [field for field in fields if any(word in name for word in field.words)]
        kinds = {field.digital for field in named}
        classes = sorted({code for field in named for code in field.classes})
        rows.append((DOUBTFUL if DOUBTFUL in kinds else YES if kinds else NO, ";".join(classes)))
    return pd.DataFrame(rows, names.index, ["digital", "digital_class"]).astype("str")
