"""HTML that a page may hold: text, tables, formulas and pictures within it, and nothing that runs or loads."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

# The policy of a document that stands alone: it runs nothing and loads nothing, whatever stands in it.
ALONE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_TAGS = frozenset(
    "a abbr b blockquote br caption cite code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 "
    "h5 h6 hr i img ins kbd li mark ol p pre q s samp section small span strong sub summary sup table tbody td tfoot "
    "th thead time tr u ul var wbr math semantics mrow mi mn mo ms mtext mspace mfrac msqrt mroot mstyle mpadded "
    "mphantom menclose msub msup msubsup munder mover munderover mmultiscripts mtable mtr mtd".split()
)
_VOID = frozenset(("br", "col", "hr", "img", "wbr"))
# What these hold is no text for readers.
_WHOLE = frozenset("script style iframe object svg template noscript noembed noframes title textarea select".split())
_LOADING = frozenset("action attributionsrc background data dynsrc formaction lowsrc ping poster srcdoc srcset".split())
_LOADING_STYLE = re.compile(r"url\(|image|import|\\|/\*", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)


def is_link(place: str) -> bool:
    """Whether an address is one that a reader may follow: of a page, or by mail, and none that runs or reads a file."""
    scheme = _SCHEME.match(re.sub(r"[\x00-\x20\x7f-\xa0]", "", place))
    return scheme is None or scheme[1].lower() in ("http", "https", "mailto")


def _is_harmless(name: str, value: str) -> bool:
    if name in ("href", "src"):
        return is_link(value) if name == "href" else value.lower().startswith("data:image/")
    if name == "style":
        return not _LOADING_STYLE.search(value)
    return re.fullmatch(r"(?!on)[a-z-]+", name) is not None and name not in _LOADING


class _Cleaner(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.left_out: list[str] = []
        self.skipped = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.skipped:
            return
        if tag not in _TAGS:
            self.left_out.append(tag)
            self.skipped = tag if tag in _WHOLE else ""
            return
        kept = [(name, value or "") for name, value in attrs if _is_harmless(name, value or "")]
        self.left_out += [f"{tag} {name}" for name, value in attrs if (name, value or "") not in kept]
        self.parts.append("".join([f"<{tag}", *(f' {name}="{escape(value)}"' for name, value in kept), ">"]))

    def handle_endtag(self, tag: str) -> None:
        if self.skipped:
            self.skipped = "" if tag == self.skipped else self.skipped
        elif tag in _TAGS - _VOID:
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self.skipped:
            self.parts.append(escape(data, quote=False))


def clean_html(html: str) -> str:
    """Return HTML without what would run or load something, and with a line that names what was left out.

    Examples
    --------
    >>> clean_html('<b onclick="run()">a &lt; b</b>')
    '<b>a &lt; b</b><p class="note">Left out of this page 未显示: b onclick</p>'
    """
    cleaner = _Cleaner()
    cleaner.feed(html)
    cleaner.close()
    left_out = escape(", ".join(dict.fromkeys(cleaner.left_out)))
    return "".join(cleaner.parts) + (left_out and f'<p class="note">Left out of this page 未显示: {left_out}</p>')
