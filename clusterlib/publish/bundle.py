"""The site in one file that can be mailed: a zip, or one page that holds the others (打包)."""

from __future__ import annotations

import base64
import io
import posixpath
import re
import zipfile
from functools import partial
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

from clusterlib.core.files import written_in_place
from clusterlib.core.hypertext import ALONE
from clusterlib.errors import ClusterlibError
from clusterlib.publish.frame import HTML_LANG
from clusterlib.publish.search import keep_pages
from clusterlib.regions import REGIONS, get_region

# The same pages make the same file; no zip can tell an earlier day.
_DAY = (1980, 1, 1, 0, 0, 0)
# Stored as they are: packed already.
_PACKED = {".png", ".webp", ".docx", ".pdf", ".zip"}
_LINK = re.compile(r"""(<a\b[^>]*?)\shref=["']([^"']*)["']""")
_WIDEST = 1400
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
# They run something, or ask for what a mailed page has not.
_LEFT_OUT = frozenset("script form dialog iframe object noscript button".split())
_NAMING = frozenset("id for aria-labelledby aria-describedby aria-controls headers".split())


def bundle(
    reports: Path, output: Path, region: str | None = None, *, html: bool = False, language: str = "en",
    notebooks: bool = False, force: bool = False,
) -> Path:  # fmt: skip
    """Write the site, or what concerns a region, into one file.

    Parameters
    ----------
    reports : Path
        The folder of the site.
    output : Path
        The file to write.
    region : str, optional
        Whose pages; by default all. One page needs one.
    html : bool
        Write one page that needs no other file, in place of a zip.
    language : {"en", "zh"}
        Of the one page.
    notebooks : bool
        Add the executed notebooks to the zip.
    force : bool
        Replace a file that is there.

    Raises
    ------
    ClusterlibError
        If there is no site, or the file is there already.
    UnknownNameError
        If there is no such region.
    """
    code = get_region(region).code if region else ""
    if not (reports / "index.html").is_file() or not any((reports / code).glob("*.html")):
        of = f" --region {code}" if code else ""
        raise ClusterlibError(f"no site in {reports / code}: run `clusterlib run{of}` first, which writes it")
    if output.exists() and not force:
        raise ClusterlibError(f"{output} is there already: name another with --output, or replace it with --force")
    if html and not code:
        raise ClusterlibError("one page holds one region: name it, as in `clusterlib bundle yrd --html`")
    with written_in_place(output) as scratch:
        scratch.write_bytes(_one_page(reports, code, language) if html else _zip(reports, code, notebooks))
    return output


def _files(reports: Path, region: str, notebooks: bool) -> list[str]:
    """Return the files of the site, or of a region and what its pages lead to, sorted."""
    # What shows other regions too has no place beside one.
    beside = {*REGIONS, "compare", "compare.html", "compare.zh.html"} - {region} if region else ()
    left_out = {"runs", "sweeps", *beside}
    endings = {".jsonl", *(() if notebooks else (".ipynb",))}
    found = [path.relative_to(reports) for path in reports.rglob("*") if path.is_file() and not path.is_symlink()]
    chosen = {
        path.as_posix()
        for path in found
        if path.parts[0] not in left_out
        and path.suffix not in endings
        and not any(part[0] == "." or part.endswith(".failed") for part in path.parts)
    }
    # Pictures of other regions and runs that these pages show.
    for place in [place for place in chosen if place.endswith(".html")]:
        shown = re.findall(r'<img[^>]* src="([^"]+)"', (reports / place).read_text(encoding="utf-8"))
        chosen |= {at for at in (_lead(place, unescape(src))[0] for src in shown) if at and (reports / at).is_file()}
    return sorted(chosen)


_INDEX = re.compile(r"assets/search\.\w+\.js")
# What led elsewhere looks like text.
_UNLINKED = "body.bundle a:not([href]) { color: inherit; text-decoration: none; }"


def _zip(reports: Path, region: str, notebooks: bool) -> bytes:
    places, buffer = _files(reports, region, notebooks), io.BytesIO()
    known = set(places)

    def living(page: str, link: re.Match) -> str:
        place = _lead(page, unescape(link[2]))[0]
        return link[0] if not place or place in known else link[1]

    with zipfile.ZipFile(buffer, "w") as file:
        for place in places:
            content = (reports / place).read_bytes()
            if place.endswith(".html"):
                content = _LINK.sub(partial(living, place), content.decode("utf-8")).encode("utf-8")
            elif _INDEX.fullmatch(place):
                content = keep_pages(content.decode("utf-8"), known).encode("utf-8")
            packed = zipfile.ZIP_STORED if Path(place).suffix in _PACKED else zipfile.ZIP_DEFLATED
            file.writestr(zipfile.ZipInfo(f"clusterlib/{place}", _DAY), content, packed)
    return buffer.getvalue()


def _lead(page: str, address: str) -> tuple[str, str]:
    """Return the file of the site, and the anchor, that an address on a page leads to; no file for one elsewhere."""
    if re.match(r"[\w+.-]+:|//", address):
        return "", ""
    path, anchor = urldefrag(address)
    place = posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(path))) if path else page
    return place, unquote(anchor)


def _one_page(reports: Path, region: str, language: str) -> bytes:
    found = [path.relative_to(reports).as_posix() for path in sorted((reports / region).glob("*.html"))]
    # The brief is there as a page, too.
    found = [place for place in found if not posixpath.basename(place).startswith("brief.")]
    places = [place for place in found if place.endswith(".zh.html") == (language == "zh")]
    places.sort(key=lambda place: (not posixpath.basename(place).startswith("index."), place))
    readers = {place: _Reader(reports, place, set(places)) for place in places}
    for reader in readers.values():
        reader.read()
    styles = "\n".join(dict.fromkeys(style for reader in readers.values() for style in reader.styles))
    items = (f'<li><a href="#{_anchor(place)}">{escape(reader.title)}</a></li>' for place, reader in readers.items())
    parts = (f'<section id="{_anchor(place)}">{"".join(reader.parts)}</section>' for place, reader in readers.items())
    contents = {"en": "Contents", "zh": "目录"}[language]
    return (
        f'<!doctype html>\n<html lang="{HTML_LANG[language]}"><head><meta charset="utf-8">'
        f'<title>{escape(readers[places[0]].title)}</title><meta http-equiv="Content-Security-Policy" '
        f'content="{ALONE}"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<style>{styles}\n{_UNLINKED}</style></head><body class="bundle"><nav aria-label="{contents}"><ul>'
        f"{''.join(items)}</ul></nav>"
        f"<main>{''.join(parts)}</main></body></html>\n"
    ).encode()


def _anchor(place: str, name: str = "") -> str:
    """Return the anchor of a page, or of a place in it, among all pages."""
    return re.sub(r"[^\w.-]", "-", place.removesuffix(".html")) + (f"--{name}" if name else "")


class _Reader(HTMLParser):
    """Takes from a page what it says, with its pictures, anchors of its own, and links that lead somewhere."""

    def __init__(self, reports: Path, place: str, pages: set[str]) -> None:
        super().__init__()
        self.reports, self.place, self.pages = reports, place, pages
        self.title, self.parts, self.styles = "", [], []
        self.around, self.inside, self.skipped = "body", "", []

    def read(self) -> None:
        """Read the whole page: what stands around its text leads through the site."""
        html = (self.reports / self.place).read_text(encoding="utf-8")
        self.around = "main" if "<main" in html else "body"
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs if not name.startswith("on")}
        if tag == "link" and given.get("rel") == "stylesheet":
            self.styles.append(self._file(given["href"]).read_text(encoding="utf-8"))
        elif self.skipped or tag in _LEFT_OUT:
            self.skipped += [tag] if tag not in _VOID else []
        elif tag == self.around or tag in ("title", "style"):
            self.inside = tag
        elif self.inside == self.around:
            said = "".join(f' {name}="{escape(value)}"' for name, value in self._kept(tag, given).items())
            self.parts.append(f"<{tag}{said}>")

    def _kept(self, tag: str, given: dict[str, str]) -> dict[str, str]:
        for name in given.keys() & _NAMING:
            given[name] = " ".join(_anchor(self.place, one) for one in given[name].split())
        if tag == "img":
            given = {**given, "src": self._picture(given.get("src", ""))}
        if "href" in given:
            place, anchor = _lead(self.place, given["href"])
            if place in self.pages:
                given["href"] = f"#{_anchor(place, anchor)}"
            elif not given["href"].startswith(("https:", "http:", "mailto:")):
                # Without an address a link is text.
                del given["href"]
            given.pop("download", None)
        return given

    def handle_endtag(self, tag: str) -> None:
        if self.skipped:
            # What is left out may hold more of its kind.
            if tag in self.skipped:
                del self.skipped[len(self.skipped) - 1 - self.skipped[::-1].index(tag) :]
        elif tag == self.inside:
            self.inside = ""
        elif self.inside == self.around and tag not in _VOID:
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self.inside == "title":
            self.title += data
        elif self.inside == "style":
            # That of a page which stands alone is not meant for the others.
            self.styles.append(f"@scope (#{_anchor(self.place)}) {{\n{data}\n}}")
        elif self.inside and not self.skipped:
            self.parts.append(escape(data, quote=False))

    def _file(self, address: str) -> Path:
        place = _lead(self.place, address)[0]
        if not place or place.startswith(("..", "/")) or not (self.reports / place).is_file():
            raise ClusterlibError(
                f"{self.place} needs {address[:80]!r}, which is not there: run `clusterlib run` again"
            )
        return self.reports / place

    def _picture(self, address: str) -> str:
        if address.startswith("data:image/"):
            return address
        path = self._file(address)
        kind, content = ("svg+xml", path.read_bytes()) if path.suffix == ".svg" else ("webp", _smaller(path))
        return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _smaller(path: Path) -> bytes:
    """Return a picture as large as a screen shows it."""
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(path) as image:
        shown = image.convert("RGB")
        shown.thumbnail((_WIDEST, 4 * _WIDEST), Image.Resampling.LANCZOS)
        shown.save(buffer, "webp", quality=82, method=2)
    return buffer.getvalue()
