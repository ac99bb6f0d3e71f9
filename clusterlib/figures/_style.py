"""Figure style (图表样式): Chinese and English type, marks that read in grey."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FONT = "Noto Sans SC"
SEQUENTIAL = "YlGnBu"
NEUTRAL = "#6b6b6b"


@dataclass(frozen=True)
class Mark:
    """How one series is drawn: apart in colour, in lightness, in marker and in line."""

    colour: str
    marker: str
    line: str
    hatch: str


# Okabe and Ito's colour-blind safe hues, ordered so that their lightness differs too.
REGION_MARKS = {
    "bth": Mark("#0072B2", "o", "-", ""),
    "yrd": Mark("#D55E00", "s", "--", "//"),
    "gba": Mark("#009E73", "^", "-.", ".."),
    "rest": Mark("#999999", "D", ":", ""),
}
SERIES_COLOURS = ["#0b3c5d", "#d55e00", "#56b4e9", "#e69f00", "#009e73", "#cc79a7"]
SERIES_HATCHES = ["", "//", "..", "xx", "\\\\", "--"]


@cache
def _register_font() -> None:
    import pylopdf_fonts_zh_cn
    from matplotlib import font_manager

    folder = Path(pylopdf_fonts_zh_cn.__file__).parent
    font_manager.fontManager.addfont(folder / "NotoSansSC-Regular.otf")


def use_style() -> None:
    """Set matplotlib up for print: Noto Sans SC for Chinese and Latin type, thin axes, no top and right spine."""
    _register_font()
    mpl.rcParams.update(
        {
            "font.family": [FONT, "DejaVu Sans"],
            "font.size": 9,
            "axes.titlesize": 10,
            "axes.titlelocation": "left",
            "axes.labelsize": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.unicode_minus": False,
            "axes.prop_cycle": mpl.cycler(color=SERIES_COLOURS),
            "figure.dpi": 110,
            "figure.constrained_layout.use": True,
            "legend.frameon": False,
            "hatch.linewidth": 0.6,
        }
    )


def add_source(figure: Figure, text: str) -> None:
    """Write the source line (资料来源) below a figure."""
    figure.supxlabel(text, x=0.01, ha="left", fontsize=7, color="#444444", wrap=True)
