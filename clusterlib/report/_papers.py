"""Which documents there are: the report on all regions and a brief on each, with their texts and files (报告与简报)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clusterlib.paths import Project
from clusterlib.regions import REGIONS

FOLDER = "report"
KINDS = ("html", "docx", "pdf")


@dataclass(frozen=True)
class Paper:
    """A document to be made: the report on all regions, or the brief on one.

    Attributes
    ----------
    name : str
        ``"report"`` or ``"brief"``.
    region : str
        Of a brief.
    """

    name: str
    region: str = ""

    @property
    def label(self) -> str:
        """What a run calls it."""
        return f"{self.region}/{self.name}" if self.region else self.name

    def source(self, folder: Path, language: str) -> Path:
        """Return its template in a language."""
        return folder / (f"{self.name}.{language}.md" if self.region else f"{language}.md")

    def files(self, reports: Path) -> dict[tuple[str, str], Path]:
        """Return what is written, by language and kind."""
        from clusterlib.core.language import LANGUAGES

        home = reports / self.region if self.region else reports
        return {(lang, kind): home / f"{self.name}.{lang}.{kind}" for lang in LANGUAGES for kind in KINDS}


def papers(project: Project) -> list[Paper]:
    """Return the documents of a project: those whose template stands in its ``report`` folder."""
    names = {path.name for path in (project.root / FOLDER).glob("*.md")}
    whole = [Paper("report")] if any("brief" not in name for name in names) else []
    return whole + [Paper("brief", code) for code in REGIONS if any(name.startswith("brief.") for name in names)]
