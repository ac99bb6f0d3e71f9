"""YAML files as plain values that know in which line they stand (带行号的配置文件)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusterlib.errors import ClusterlibError

Place = tuple[object, ...]


@dataclass(frozen=True)
class Document:
    """What a YAML file holds: mappings, lists, texts, numbers; and the line of each.

    Attributes
    ----------
    name : str
        The file, as messages call it.
    content : object
    lines : dict
        By place, a tuple of keys and positions: ``("results", "trend.figure", "label")``.
    """

    name: str
    content: Any
    lines: Mapping[Place, int] = field(repr=False)

    def error(self, place: Place, message: str) -> ClusterlibError:
        """Return an error that says in which line something is wrong."""
        known = next((place[:k] for k in range(len(place), -1, -1) if place[:k] in self.lines), ())
        where = " ".join(str(part) for part in place)
        return ClusterlibError(f"{self.name}, line {self.lines.get(known, 1)}: {where}{': ' if where else ''}{message}")


def read_document(path: Path, name: str = "") -> Document:
    """Read a YAML file; tags that would make objects are refused, and so are keys that stand there twice.

    Parameters
    ----------
    path : Path
    name : str
        What messages call the file; by default its folder and name.

    Raises
    ------
    ClusterlibError
        If it cannot be read, with the line.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "words.yml"
    >>> _ = path.write_text("words:\\n  year: {en: Year, zh: 年份}\\n", encoding="utf-8")
    >>> document = read_document(path)
    >>> document.content["words"]["year"]["zh"], document.lines["words", "year", "zh"]
    ('年份', 2)
    """
    import yaml

    name = name or f"{path.parent.name}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ClusterlibError(f"{name} is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ClusterlibError(f"{name} cannot be read: {error}") from None
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        lines: dict[Place, int] = {}
        content = _plain(loader, root, (), name, lines) if root is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f", line {mark.line + 1}" if mark else ""
        raise ClusterlibError(f"{name}{at}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ClusterlibError(f"{name}: {error}") from None
    finally:
        loader.dispose()
    return Document(name, content, lines)


def _plain(loader: Any, node: Any, place: Place, name: str, lines: dict[Place, int]) -> Any:
    import yaml

    lines[place] = node.start_mark.line + 1
    if not isinstance(node, yaml.ScalarNode) and node.tag.rpartition(":")[2] not in ("map", "seq"):
        raise yaml.MarkedYAMLError(problem=f"tag {node.tag!r}: expected plain values", problem_mark=node.start_mark)
    if isinstance(node, yaml.MappingNode):
        found: dict = {}
        for key, value in _pairs(loader, node):
            if key in found:
                raise ClusterlibError(f"{name}, line {value.start_mark.line + 1}: {key!r} stands there twice")
            found[key] = _plain(loader, value, (*place, key), name, lines)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, value, (*place, k), name, lines) for k, value in enumerate(node.value)]
    return loader.construct_object(node)


def _pairs(loader: Any, node: Any) -> Iterator[tuple[Any, Any]]:
    import yaml

    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="a key is no plain text", problem_mark=key.start_mark)
        yield loader.construct_object(key), value
