"""Look at any indicator in a notebook: map, ranking and trend of what is chosen there (指标浏览)."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clusterlib.core.checks import check_choice
from clusterlib.core.language import LANGUAGES, say, speaking, spoken
from clusterlib.data._columns import KEYS, PANELS
from clusterlib.errors import ClusterlibError
from clusterlib.regions import REGIONS, get_region

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["Explorer", "explorer"]

_ASSETS = Path(__file__).resolve().parent / "publish" / "assets"
_CLASSES = 6
# Units whose lines are drawn at first, and at most.
_FIRST, _MOST = 4, 6
_LEVELS = {"province": ("provinces", "省级"), "city": ("cities", "地级市"), "county": ("county-level cities", "县级市"),
           "economy": ("economies", "经济体")}  # fmt: skip
_NATION = ""


def __dir__() -> list[str]:
    return __all__


def explorer(level: str = "city", indicator: str = "", region: str = "", language: str = "zh") -> Explorer:
    """Show an indicator as map, ranking and trend, with controls to choose another (指标浏览器).

    Map and ranking are one page within the notebook: it moves, zooms and goes through the years without the kernel and
    without a network. Where JupyterLab has no ipywidgets the same views are shown without controls.

    Parameters
    ----------
    level : {"province", "city", "county", "economy"}
        The last two have no boundaries: ranking, table and trend alone are shown.
    indicator : str, optional
        Name from :func:`clusterlib.data.indicator_catalogue`, or an imported one of
        :func:`clusterlib.data.own_indicators`; by default the first.
    region : str, optional
        Where the map begins and whose units are ranked, as :func:`clusterlib.regions.get_region`; by default China.
    language : {"zh", "en"}

    Returns
    -------
    Explorer

    Raises
    ------
    UnknownNameError
        For an unknown level, indicator, region or language, with the nearest valid names.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.explore.explorer("province", "gdp", region="yrd", language="en")
    Explorer('province', 'gdp', region='yrd', language='en')
    """
    check_choice("level", level, PANELS)
    check_choice("language", language, LANGUAGES)
    known = _catalogue(level)
    name = check_choice(f"{level} indicator", indicator, known.index) if indicator else str(known.index[0])
    return Explorer(level, name, get_region(region).code if region else _NATION, language)


def _catalogue(level: str) -> pd.DataFrame:
    """Return shipped indicators, and after them those that the user imported."""
    import pandas as pd

    from clusterlib.data import indicator_catalogue
    from clusterlib.data._own import own_indicators

    own = own_indicators(level)
    shipped = indicator_catalogue(level).assign(own=False)
    return pd.concat([shipped, own.assign(own=True)]) if len(own) else shipped


def _edges(figures: Any) -> list[float]:
    """Return the lowest figure and the upper bounds of quantile classes (分位数分级)."""
    found = np.asarray(figures)[np.asarray(figures.notna())]
    # Natural breaks would put most cities into the lowest class. Equal figures are of one class.
    bounds = np.quantile(found, np.arange(1, _CLASSES + 1) / _CLASSES, method="inverted_cdf")
    return [found.min(), *np.unique(bounds)]


class _Chosen:
    """One indicator by unit and year, and what is said of it, in the language spoken."""

    def __init__(self, level: str, indicator: str, region: str) -> None:
        from clusterlib.data import load_panel, unit_names
        from clusterlib.data._origins import Origins
        from clusterlib.paths import get_project
        from clusterlib.study import provincial_scope

        self.level, self.region = level, region if level != "economy" else _NATION
        entry = _catalogue(level).loc[indicator]
        values = load_panel(level, indicator)[indicator].unstack("year").dropna(axis=1, how="all").sort_index(axis=1)
        figures = values.abs().stack().dropna()
        # About four significant digits of most figures.
        size = float(np.quantile(figures, 0.75))
        whole = bool((figures.to_numpy() % 1 == 0).all())
        self.digits = 0 if whole or not size else int(np.clip(3 - np.floor(np.log10(size)), 0, 6))
        self.values = values.round(self.digits)
        names = unit_names(level if level == "economy" else None)
        self.names = names.reindex(names.index.union(self.values.index)).fillna("?")
        inside = (
            values.index if not self.region else load_panel(level, indicator, self.region).index.unique(KEYS[level][0])
        )
        self.inside = values.index[values.index.isin(inside)]
        self.title, self.unit = str(entry[say("name_en", "name_zh")]), str(entry[say("unit", "unit_zh")])
        sources = Origins(get_project()).sources
        titles = [
            sources[key][say("title_en", "title_zh")] if key in sources else key for key in entry["source"].split(";")
        ]
        self.source = say("; ", "；").join(titles)
        self.place = REGIONS[self.region].short if self.region else say("China", "全国")
        scope = str(provincial_scope(self.region)) if self.region and level == "province" else ""
        self.notes = list(filter(None, [entry[say("breaks", "breaks_zh")], scope]))

    @property
    def ordered(self) -> list[Any]:
        """Units of the region, by their latest figures."""
        latest = self.values.loc[self.inside].ffill(axis=1).iloc[:, -1]
        return latest.sort_values(ascending=False, kind="stable").index.tolist()

    def page(self) -> str:
        """Return map and ranking as a page of its own."""
        from markupsafe import Markup

        from clusterlib.core.hypertext import ALONE
        from clusterlib.maps.base import base_note
        from clusterlib.publish.atlas import BLANK, legend_of, map_ground, shade
        from clusterlib.publish.frame import HTML_LANG, fill, policy_of

        ground, years = map_ground(), [str(year) for year in self.values.columns]
        legends = [
            (say(f"{self.unit}; quantile classes {when}", f"{self.unit}；{when_zh}分位数分级"), _edges(figures))
            for when, when_zh, figures in (
                *((f"of {year}", f"按{year}年", figures) for year, figures in self.values.items()),
                ("over all years", "按全部年份", self.values),
            )
        ]
        rows = {
            code: [BLANK if np.isnan(v) else f"{v:.{self.digits}f}" for v in row]
            for code, row in zip(self.values.index, self.values.to_numpy(), strict=True)
        }
        what = say(*_LEVELS[self.level])
        count = Markup('<span data-count="{}"></span>').format(
            say(f"n = {{all}} {what} in {{year}}", f"{{year}}年n = {{all}}个{what}")
        )
        latest = legends[len(years) - 1][1]
        drawn = shade(ground, "chosen", self.level, rows, self.names, latest, self.digits) | {
            "legends": [(heading, legend_of("chosen", edges, self.digits)) for heading, edges in legends],
            "name": "chosen", "title": f"{self.title}{say(', ', '，')}{self.unit}", "years": years,
            "source": self.source,
            "heads": [say("Unit", "地区"), *years], "notes": [*self.notes, count],
        }  # fmt: skip
        ranking = {
            "title": say(f"Ranking, {self.place}", f"排名（{self.place}）"),
            "units": self.inside,
            "count": say(f"n = {{shown}} of {{all}} {what} with a figure in {{year}}, highest first; places among all",
                         f"{{year}}年有数据的{what}{{all}}个，列出{{shown}}个，由高到低；序号为全部{what}中的位次"),
        }  # fmt: skip
        mark = policy_of("".join(map(str, rows.values())))[1]
        styles, scripts = (
            [(_ASSETS / f"{name}.{ending}").read_text(encoding="utf-8") for name in names]
            for ending, names in (("css", ("site", "map", "explore")), ("js", ("map", "explore")))
        )
        shown = {
            "ground": ground,
            "map": drawn,
            "ranking": ranking,
            "unit": self.unit,
            "region": self.region,
            "names": self.names.to_dict(),
            "base": base_note(ground["approval"]) if self.level in ground else "",
            "html_lang": HTML_LANG[spoken()],
            "skipped": ("province",) if self.level == "city" else ("province", "city"),
            "policy": f"{ALONE}; script-src 'nonce-{mark}'",
            "mark": mark,
            "styles": "".join(styles),
            "scripts": scripts,
        }
        return fill("explore.html.j2", spoken(), **shown)

    def trend(self, units: Sequence[Any]) -> str:
        """Return lines of these units and of medians as a picture, with what stands below it."""
        import matplotlib as mpl
        import matplotlib.pyplot as plt
        import pandas as pd

        from clusterlib.figures import REGION_MARKS, draw_svg, series_marks, trend_lines, use_style

        what = say(*_LEVELS[self.level])
        series, marks = self.values.loc[list(units)].T, dict(series_marks(units))
        labels = {unit: str(self.names[unit]) for unit in units}
        medians = {"nation": (say("all", "全部"), self.values)}
        if self.region:
            medians = {self.region: (self.place, self.values.loc[self.inside])} | medians
        for key, (place, frame) in medians.items():
            series[key], marks[key] = frame.median(), REGION_MARKS.get(key, REGION_MARKS["rest"])
            labels[key] = say(f"median, {place} ({len(frame)} {what})", f"{place}{len(frame)}个{what}的中位数")
        with mpl.rc_context():
            use_style()
            figure = trend_lines(pd.DataFrame(series), marks, labels, self.unit)
            plt.close(figure)
            picture = base64.b64encode(draw_svg(figure).encode()).decode()
        alt = say(f"Lines of {self.title} by year: ", f"{self.title}历年折线图：") + say(", ", "、").join(
            labels.values()
        )
        below = [
            say(f"Unit: {self.unit}", f"单位：{self.unit}"),
            say(f"n = {len(units)} {what} drawn", f"n = {len(units)}个{what}（单独成线）"),
            say(f"Source: {self.source}", f"资料来源：{self.source}"),
        ]
        heading = say(f"Trend: {self.title}", f"趋势：{self.title}")
        return (
            f'<figure style="margin:0"><figcaption><b>{escape(heading)}</b></figcaption>'
            f'<img style="max-width:100%;width:46rem" alt="{escape(alt)}" src="data:image/svg+xml;base64,{picture}">'
            f"<figcaption>{escape(say('; ', '；').join(below))}</figcaption></figure>"
        )


def _framed(page: str, title: str) -> str:
    # Whatever the page holds, it reaches neither the notebook nor its server.
    return (
        f'<iframe sandbox="allow-scripts" title="{escape(title)}" style="width:100%;height:56rem;border:0" '
        f'srcdoc="{escape(page)}"></iframe>'
    )


class Explorer:
    """Views of an indicator, and controls that choose another.

    Attributes
    ----------
    level, indicator, region, language : str
        What is chosen now.
    """

    def __init__(self, level: str, indicator: str, region: str, language: str) -> None:
        self.level, self.indicator, self.region, self.language = level, indicator, region, language

    def __repr__(self) -> str:
        region = f", region={self.region!r}" if self.region else ""
        return f"Explorer({self.level!r}, {self.indicator!r}{region}, language={self.language!r})"

    def __dir__(self) -> list[str]:
        return ["html", "indicator", "language", "level", "region"]

    def _chosen(self) -> _Chosen:
        return _Chosen(self.level, self.indicator, self.region)

    def html(self) -> str:
        """Return map, ranking and trend as HTML without controls (静态视图)."""
        with speaking(self.language):
            chosen = self._chosen()
            return self._with_hint(_framed(chosen.page(), chosen.title) + chosen.trend(chosen.ordered[:_FIRST]))

    def _with_hint(self, views: str) -> str:
        with speaking(self.language):
            hint = say(
                "Controls need the package ipywidgets in the environment that JupyterLab runs in. Without it choose by "
                "arguments, as in ",
                "选择控件需要在运行JupyterLab的环境中安装ipywidgets。未安装时可用参数选择，例如",
            )
        example = f"cl.explore.{repr(self).replace('Explorer', 'explorer')}"
        return f"{views}<p>{escape(hint)}<code>{escape(example)}</code></p>"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        try:
            controls = _Controls(self)
        except ImportError:
            return {"text/plain": repr(self), "text/html": self.html()}
        # A frontend without widgets shows the next kind that it knows.
        views = self._with_hint(controls.page.value + controls.trend.value)
        shown: dict[str, Any] = controls.box._repr_mimebundle_(**options) or {}
        return shown | {"text/plain": repr(self), "text/html": views}


class _Controls:
    """The controls of an explorer, above and beside its views."""

    def __init__(self, explorer: Explorer) -> None:
        import ipywidgets as widgets

        self.explorer, self.filling = explorer, False
        wide = {"layout": {"width": "30rem"}, "style": {"description_width": "initial"}}
        slim = {"layout": {"width": "auto"}, "style": {"description_width": "initial"}}
        self.choices = {
            "region": widgets.Dropdown(**slim),
            "level": widgets.Dropdown(**slim),
            "indicator": widgets.Dropdown(**wide),
            "language": widgets.Dropdown(options=[("中文", "zh"), ("English", "en")], **slim),
        }
        self.units = widgets.SelectMultiple(rows=14, layout={"width": "15rem"}, style={"description_width": "0"})
        self.page, self.trend, self.hint = widgets.HTML(), widgets.HTML(), widgets.HTML()
        above = widgets.HBox([*self.choices.values()], layout={"flex_flow": "row wrap"})
        beside = widgets.VBox([self.hint, self.units])
        below = widgets.HBox([beside, self.trend], layout={"flex_flow": "row wrap"})
        self.box = widgets.VBox([above, self.page, below])
        self.show()
        for choice in self.choices.values():
            choice.observe(self.choose, "value")
        self.units.observe(self.draw_trend, "value")

    def choose(self, change: Any) -> None:
        """Take what was chosen, and show it."""
        if self.filling:
            return
        for name, choice in self.choices.items():
            setattr(self.explorer, name, choice.value)
        known = _catalogue(self.explorer.level).index
        if self.explorer.indicator not in known:
            self.explorer.indicator = str(known[0])
        self.show()

    def show(self) -> None:
        """Write labels and choices in the language chosen, and draw the views."""
        self.filling = True
        try:
            with speaking(self.explorer.language):
                self.fill()
        finally:
            self.filling = False

    def fill(self) -> None:
        known = _catalogue(self.explorer.level)
        mine = say("own: ", "自有：")
        titles = [
            (f"{mine if row['own'] else ''}{row[say('name_en', 'name_zh')]} [{row[say('unit', 'unit_zh')]}]", name)
            for name, row in known.iterrows()
        ]
        areas = [(say("China", "全国"), _NATION), *((region.short, code) for code, region in REGIONS.items())]
        words = {
            "region": (say("Region", "区域"), areas),
            "level": (say("Level", "层级"), [(say(*what), level) for level, what in _LEVELS.items()]),
            "indicator": (say("Indicator", "指标"), titles),
            "language": (say("Language", "语言"), self.choices["language"].options),
        }  # fmt: skip
        for name, (label, options) in words.items():
            choice = self.choices[name]
            choice.description = label
            if choice.options != tuple(options):
                choice.options = options
            choice.value = getattr(self.explorer, name)
        # The World Bank's economies lie in no region.
        self.choices["region"].disabled = self.explorer.level == "economy"
        self.hint.value = escape(
            say("Lines of (Ctrl or ⌘ for several, up to six)", "趋势线（按住Ctrl或⌘可多选，至多六个）")
        )
        try:
            chosen = self.explorer._chosen()
            self.page.value = _framed(chosen.page(), chosen.title)
            # The browser gets one after the other, and looks for what is selected among the new ones.
            self.units.value = ()
            self.units.options = [(str(chosen.names[unit]), unit) for unit in chosen.ordered]
            self.units.value = tuple(chosen.ordered[:_FIRST])
            self.units.description = say("Lines of", "趋势线")
            self.trend.value = chosen.trend(self.units.value)
        except ClusterlibError as error:
            self.page.value, self.trend.value = f'<p role="alert">{escape(str(error))}</p>', ""

    def draw_trend(self, change: Any) -> None:
        """Draw the lines of the units chosen."""
        if not self.filling:
            with speaking(self.explorer.language):
                self.trend.value = self.explorer._chosen().trend(self.units.value[:_MOST])
