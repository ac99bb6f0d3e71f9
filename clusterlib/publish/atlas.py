"""Maps of the site that can be moved and zoomed: drawings within the page, without tiles or a server (可平移地图)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterlib.core.files import write_text
from clusterlib.core.language import LANGUAGES, say, speaking, spoken
from clusterlib.provenance import sha256
from clusterlib.publish.frame import file_of, fill, frame
from clusterlib.regions import REGIONS
from clusterlib.results import RESULTS_FILE, Results, load_results

if TYPE_CHECKING:
    from clusterlib.paths import Project

# A unit of the drawing is a kilometre; details of a border below three are left out.
_UNIT, _TOLERANCE, _WIDTH, _CLASSES = 1000, 3000, 1000, 6
_ACROSS, _ELSEWHERE = ("#b0307a", "4 3"), ("#808080", "")
_DASHES = {"-": "", "--": "6 3", "-.": "6 2 1 2", ":": "2 2"}
_DIGITS = {"gdp_per_head": 1, "I": 3, "p_sim": 4, "p_adjusted": 4}
# The hatches of printed maps in a square of eight, and that of units without a figure.
_HATCHES = {
    "////": "M-2 2l4-4M0 8l8-8M6 10l4-4",
    "....": "M4 4h.1M0 0h.1M8 0h.1M0 8h.1M8 8h.1",
    "xxxx": "M0 0l8 8M8 0l-8 8",
    "none": "M0 0l8 8M-1 7l2 2M7-1l2 2",
}
# What a cell of a unit without a figure shows.
BLANK = "–"
# What templates/atlas_map.html.j2 draws, by the names that it has there.
Drawn = dict[str, Any]


def _ring(points: np.ndarray) -> str:
    points = points[np.r_[True, (np.diff(points, axis=0) != 0).any(axis=1)]]
    start = f"M{points[0][0]} {points[0][1]}"
    # An island that is smaller than the unit stays on the map.
    if len(points) < 4:
        return start + "h1v1h-1z"
    return start + "l" + " ".join(map(str, np.diff(points, axis=0)[:-1].ravel())).replace(" -", "-") + "z"


def map_ground() -> Drawn:
    """Draw cities, provinces, nation and core regions from the same lines, so that they fit; the bar is of 500 km.

    This takes seconds and is kept on disk until boundaries, regions or the code that draws it change.
    """
    from clusterlib.maps import _ground
    from clusterlib.study._memory import remember

    return remember(_draw_ground)(sha256(Path(__file__), Path(_ground.__file__)))


def _draw_ground(code: str) -> Drawn:
    import geopandas as gpd
    import shapely

    from clusterlib.core.places import ALBERS
    from clusterlib.data import load_boundaries, load_national_line
    from clusterlib.maps._ground import INSET, INSET_PLACE, MAIN, city_points, outline_of, projected, whole_of

    source = load_boundaries("city")
    simple = shapely.coverage_simplify(source.to_crs(ALBERS).geometry.to_numpy(), _TOLERANCE)
    cities = gpd.GeoSeries(simple, source.index, crs=ALBERS)
    west, _, _, north = projected(MAIN)

    def place(points: np.ndarray) -> np.ndarray:
        return np.rint((points - [west, north]) * [1, -1] / _UNIT).astype(int)

    def path(shape: Any) -> str:
        lines = [line for part in shapely.get_parts(shape) for line in shapely.get_parts(part.boundary)]
        return "".join(_ring(place(shapely.get_coordinates(line))) for line in lines)

    def extent(bounds: np.ndarray, margin: float = 0, ratio: float = 0) -> list[int]:
        (x, low), (right, y) = place(np.reshape(bounds, (2, 2)))
        width, height = (1 + margin) * (right - x), (1 + margin) * (low - y)
        if ratio:
            width, height = max(width, height / ratio), max(height, width * ratio)
        return [round(v) for v in ((x + right - width) / 2, (y + low - height) / 2, width, height)]

    parts = source.groupby("province").groups
    provinces = {code: whole_of(gpd.GeoSeries(cities[units])).iloc[0] for code, units in parts.items()}
    regions = {code: outline_of(cities, region) for code, region in REGIONS.items()}
    shapes = {f"province{code}": shape for code, shape in provinces.items()}
    shapes |= {f"city{code}": shape for code, shape in cities.items()}
    shapes |= {f"region-{code}": shape.union_all() for code, shape in regions.items()}
    shapes |= {"nation": whole_of(cities)[0], "dashes": load_national_line().to_crs(ALBERS).buffer(_UNIT)[0]}
    views = {"nation": extent(projected(MAIN))}
    ratio = views["nation"][3] / views["nation"][2]
    views |= {code: extent(shape.total_bounds, 0.1, ratio) for code, shape in regions.items()}
    left, low, wide, high = (part * side for part, side in zip(INSET_PLACE, (_WIDTH, _WIDTH * ratio) * 2, strict=True))
    views["inset"] = extent(projected(INSET), ratio=high / wide)
    points = city_points(pd.DataFrame(index=cities.index)).get_coordinates().to_numpy()
    return {
        "shapes": {name: path(shape) for name, shape in shapes.items()},
        "city": cities.index.tolist(),
        "province": list(provinces),
        "places": dict(zip(cities.index, place(points).tolist(), strict=True)),
        "views": {name: " ".join(map(str, view)) for name, view in views.items()},
        "inset": [round(v) for v in (left, _WIDTH * ratio - low - high, wide, high)],
        "width": _WIDTH,
        "height": round(_WIDTH * ratio),
        "bar": round(500 * _WIDTH / views["nation"][2]),
        "approval": source.attrs["approval_number"],
    }


def _found(project: Project, notebook: str, *names: str) -> list[list[Results]]:
    """Return the runs of a notebook that recorded these results, together those that found the same."""
    found: dict[str, list[Results]] = {}
    for region in REGIONS:
        if (project.reports / region / notebook / RESULTS_FILE).exists():
            results = load_results(notebook, region, project.reports)
            if set(names) <= set(results):
                same = json.dumps([[results[name].note, results[name].value] for name in names])
                found.setdefault(same, []).append(results)
    return list(found.values())


def _headed(name: str, groups: list[list[Results]], record: str, caption: str) -> Iterator[Drawn]:
    """Yield what heads a map of each group of runs: its title, source and note are those of a recorded caption."""
    for number, runs in enumerate(groups):
        said = runs[0][caption]
        shorts = say(", ", "、").join(REGIONS[run.region].short for run in runs)
        own = "" if len(groups) == 1 else say(f" ({shorts})", f"（{shorts}）")
        yield {
            "name": f"{name}{number or ''}", "runs": runs, "record": record, "source": said.said("source", spoken()),
            "title": said.said("label", spoken()) + own, "notes": [said.said("note", spoken())],
        }  # fmt: skip


def _index(ground: Drawn, names: pd.Series, groups: list[list[Results]]) -> Iterator[Drawn]:
    from clusterlib.maps.base import natural_classes

    for head in _headed("index", groups, "index.by_province", "index.by_province"):
        record = head["runs"][0]["index.by_province"]
        shown, kept = record.said("shown", spoken()), record.frame()
        rows = {code: row[1:] for code, row in zip(kept.index, shown["rows"], strict=True)}
        # Classed as the table shows them, from which the page tells the class of another year.
        classes = natural_classes(pd.Series([float(cell) for row in rows.values() for cell in row]), _CLASSES)
        without = [code for code in ground["province"] if code not in rows]
        first, last = kept.columns[0], kept.columns[-1]
        notes = [
            say(f"{first}–{last}, {last} unless another year is chosen", f"{first}—{last}年，未另选时为{last}年"),
            say(f"no data: {', '.join(names[without])}", f"无数据：{'、'.join(names[without])}"),
        ]
        edges = [classes.y.min(), *classes.bins]
        yield head | shade(ground, head["name"], "province", rows, names, edges, 3) | {
            "notes": [*head["notes"], *notes], "kept": kept, "years": list(kept.columns), "heads": shown["heads"],
            "heading": say("Index, 0 to 1; natural breaks over all years", "指数（0—1）；按全部年份自然断点分级"),
        }  # fmt: skip


def shade(
    ground: Drawn,
    name: str,
    level: str,
    rows: Mapping[Any, list[str]],
    names: pd.Series,
    edges: Sequence[float],
    digits: int,
) -> Drawn:
    """Return what a map draws of figures by unit and year, the last of which is shown first, and its table.

    Parameters
    ----------
    ground : dict
        That of :func:`map_ground`.
    name : str
        What the page calls the map.
    level : str
    rows : mapping of code to list of str
        Each year's figure as the table sets it, without separators, or :data:`BLANK`.
    names : Series
        By code.
    edges : sequence of float
        The lowest figure and the upper bound of each class, of figures as the table sets them: from these the page
        tells the class of another year.
    digits : int
        Decimals in the legend.
    """
    from clusterlib.maps.base import NO_DATA

    legend, bins = legend_of(name, edges, digits), edges[1:]
    *shades, none = (look["fill"] for look, _ in legend)
    last = {code: row[-1] for code, row in rows.items()}
    drawn = ground.get(level, [])
    blank = [BLANK] * max(map(len, rows.values()))
    every = [*rows, *(code for code in drawn if code not in rows)]
    fills = {
        code: none if last.get(code, BLANK) == BLANK else shades[int(np.searchsorted(bins, float(last[code])))]
        for code in drawn
    }
    return {
        "level": level, "places": every, "fills": fills, "patterns": [(f"{name}-none", _HATCHES["none"], NO_DATA)],
        "legend": legend,
        "rows": [(str(code), [names[code], *rows.get(code, blank)]) for code in every],
    }  # fmt: skip


def legend_of(name: str, edges: Sequence[float], digits: int) -> list[tuple[Drawn, str]]:
    """Return how each class between these edges looks and what is said of it; the last is of units without a figure.

    Parameters
    ----------
    name, edges, digits
        As of :func:`shade`.
    """
    from clusterlib.maps.base import class_labels, class_shades

    lows = ["-Infinity", *(f"{bound:.{digits}f}" for bound in edges[1:-1])]
    boxes = [{"fill": colour, "low": low} for colour, low in zip(class_shades(len(lows)), lows, strict=True)]
    none = ({"fill": f"url(#{name}-none)"}, say("no data", "无数据"))
    return [*zip(boxes, class_labels(edges, digits), strict=True), none]


def _lisa(ground: Drawn, names: pd.Series, groups: list[list[Results]]) -> Iterator[Drawn]:
    from clusterlib.maps._maps import CLUSTER_LOOKS
    from clusterlib.maps.base import NO_DATA

    looks = CLUSTER_LOOKS | {"none": (NO_DATA, "none", ("no data", "无数据"))}
    label = {kind: say(*words) for kind, (_, _, words) in looks.items()}
    for head in _headed("lisa", groups, "lisa.table", "lisa.map"):
        name, record = head["name"], head["runs"][0]["lisa.table"]
        kept = record.frame()
        fills = {kind: f"url(#{name}-{kind})" if hatch else colour for kind, (colour, hatch, _) in looks.items()}
        cells = kept.reindex([*kept.index, *pd.Index(ground["city"]).difference(kept.index)])
        kinds = cells["cluster"].fillna("none")
        count = kinds.value_counts()
        figures = [["–" if pd.isna(v) else f"{v:.{digits}f}" for v in cells[c]] for c, digits in _DIGITS.items()]
        heads = dict(zip(["", *kept.columns], record.said("shown", spoken())["heads"], strict=True))
        cities = zip(kinds.index, kinds, *figures, strict=True)
        yield head | {
            "kept": kept, "level": "city", "fills": kinds.map(fills).to_dict(), "places": ground["city"],
            "patterns": [(f"{name}-{k}", _HATCHES[hatch], colour) for k, (colour, hatch, _) in looks.items() if hatch],
            "heading": say("Kind of cluster, number of cities", "集聚类型与城市数"),
            "legend": [({"fill": fill}, f"{label[kind]}: {count.get(kind, 0)}") for kind, fill in fills.items()],
            "heads": [heads[column] for column in ("", *_DIGITS, "cluster")], "filters": [1 + len(_DIGITS)],
            "rows": [(str(city), [names[city], *row, label[kind]]) for city, kind, *row in cities],
        }  # fmt: skip


def _clusters(ground: Drawn, names: pd.Series, groups: list[list[Results]], lists: pd.DataFrame) -> Iterator[Drawn]:
    for head in _headed("clusters", groups[:1], "clusters.totals", "clusters.totals"):
        totals = head["runs"][0]["clusters.totals"].frame()
        kept, last = lists[lists["programme"].isin(totals.columns)], totals.iloc[-1]
        programme, title, field = (kept[f"{part}_{spoken()}"] for part in ("programme", "name", "field"))
        led = [[int(code) for code in codes.split(";")] for codes in kept["adcodes"]]
        counts = pd.Series([code for codes in led for code in codes]).value_counts().sort_index()
        digital = {"yes": say("yes", "是"), "no": say("no", "否"), "doubtful": say("doubtful", "存疑")}
        cells = [
            title, programme, field.replace("", say("not given", "未注明")), kept["digital"].map(digital),
            kept["year"].astype(str), [say(", ", "、").join(names[codes]) for codes in led],
        ]  # fmt: skip
        notes = [say(f"n = {len(kept)} clusters at {len(counts)} lead cities, counted at each",
                     f"n = {len(kept)}个集群，{len(counts)}个牵头城市，逐市计数")]  # fmt: skip
        n = programme.value_counts(sort=False)
        for code, label in zip(kept["programme"].unique(), programme.unique(), strict=True):
            announced = say(f"{last[code]} announced by {last.name}", f"截至{last.name}年公布{last[code]}个")
            notes.append(say(f"{label}: {n[label]} listed of {announced}", f"{label}：{announced}，列出{n[label]}个"))
        heads = say("Cluster,Programme,Field,Digital,Year,Lead cities", "集群,项目,领域,数字产业,年份,牵头城市")
        yield head | {
            "title": say("National industrial clusters by field", "国家级产业集群（按领域）"), "notes": notes,
            "kept": kept.drop(columns=["programme_en", "programme_zh", "source", "note"]), "places": counts.index,
            "circles": counts.sort_values(ascending=False, kind="stable").to_dict(), "radius": 24, "sizes": [1, 4, 9],
            "heading": say("Clusters that a city leads (area of the circle)", "城市牵头的集群数（圆面积）"),
            "heads": heads.split(","), "filters": [1, 2, 3], "said": "0 2",
            "rows": [(" ".join(map(str, codes)), row) for codes, *row in zip(led, *cells, strict=True)],
        }  # fmt: skip


def _links(ground: Drawn, names: pd.Series, groups: list[list[Results]], pairs: pd.DataFrame) -> Iterator[Drawn]:
    from clusterlib.figures import REGION_MARKS

    for head in _headed("links", groups[:1], "trains.map", "trains.map"):
        seen = pairs["direct_trains"].rename_axis(["origin", "destination"]).reset_index(name="trains")
        once = seen[seen["origin"] < seen["destination"]]
        kept = once.nlargest(int(head["runs"][0].parameters["links_drawn"]), "trains").reset_index(drop=True)
        home = {code: region for region in REGIONS for code in REGIONS[region].adcodes("city")}
        a, b = (kept[end].map(home).fillna("") for end in ("origin", "destination"))
        kept["where"] = np.select([a + b == "", a == b], ["elsewhere", a], "across")
        looks = {code: (REGION_MARKS[code].colour, _DASHES[REGION_MARKS[code].line]) for code in REGIONS}
        looks |= {"across": _ACROSS, "elsewhere": _ELSEWHERE}
        words = {code: say(f"within {region.short}", f"{region.short}内部") for code, region in REGIONS.items()}
        words |= {"across": say("across a region's border", "跨核心区域边界"), "elsewhere": say("elsewhere", "其他")}
        count, width = kept["where"].value_counts(), 0.5 + 2.5 * np.sqrt(kept["trains"] / kept["trains"].max())
        links = list(kept.assign(width=width.round(1)).itertuples(index=False, name=None))
        ends = pd.concat([kept["origin"], kept["destination"]]).value_counts().sort_index().to_dict()
        n = say(f"n = {len(once):,} pairs of cities", f"n = {len(once):,}对城市")
        yield head | {
            "notes": [*head["notes"], n], "kept": kept.set_index("origin"), "places": list(ends),
            "lines": [(i, j, *looks[k], w) for i, j, _, k, w in links[::-1]],
            "circles": ends, "radius": 8, "sizes": [1, 10], "filters": [3], "said": "0 1 2",
            "heading": say("Links drawn; width ∝ root of trains a day; dots: links of a city",
                           "联系条数；线宽∝每日列车数的平方根；圆点为城市联系数"),
            "legend": [({"fill": c, "dash": d}, f"{words[k]}: {count.get(k, 0)}") for k, (c, d) in looks.items()],
            "heads": say("City,City,Trains a day,Where", "城市,城市,每日列车数,位置").split(","),
            "rows": [(f"{i} {j}", [names[i], names[j], f"{n:.0f}", words[k]]) for i, j, n, k, _ in links],
        }  # fmt: skip


def write_atlas(project: Project) -> list[Path]:
    """Write the page of maps in both languages, and what each map shows as CSV (地图页).

    Values are those that notebooks recorded, and lists and pairs of the processed data; a map whose notebook has not
    been run is left out.

    Parameters
    ----------
    project : Project

    Returns
    -------
    list of Path

    Raises
    ------
    ClusterlibError
        If what a notebook recorded is damaged.

    Examples
    --------
    >>> [path.name for path in write_atlas(cl.paths.get_project())][:2]  # doctest: +SKIP
    ['maps.html', 'maps.zh.html']
    """
    from clusterlib.data import load_clusters, load_pairs, unit_names
    from clusterlib.maps.base import base_note

    ground, written, maps = map_ground(), [], []
    makers = [
        (_index, _found(project, "03_digital_index", "index.by_province")),
        (_clusters, _found(project, "02_overview", "clusters.totals"), load_clusters()),
        (_lisa, _found(project, "06_spatial", "lisa.table", "lisa.map")),
        (_links, _found(project, "16_city_links", "trains.map"), load_pairs(["direct_trains"])),
    ]
    names = {language: unit_names(language=language) for language in LANGUAGES}
    for language in LANGUAGES:
        with speaking(language):
            maps = [drawn for make, *given in makers for drawn in make(ground, names[language], *given)]
            known = {"names": names[language].to_dict(), "base": base_note(ground["approval"])}
            body = fill("atlas.html.j2", language, maps=maps, ground=ground, skipped="province", **known)
            extras: Any = {"styles": ["map.css"], "scripts": ["map.js"], "project": project}
            extras["contents"] = [(f"map-{drawn['name']}", drawn["title"]) for drawn in maps]
            page = frame("maps", language, say("Maps", "地图"), body, **extras)
        written.append(project.reports / file_of("maps", language))
        write_text(written[-1], page)
    for drawn in maps:
        kept: pd.DataFrame = drawn["kept"].reset_index()
        for column in kept.columns.intersection(["adcode", "origin", "destination"]):
            for language in LANGUAGES:
                kept[f"{column}_{language}"] = names[language][kept[column]].to_numpy()
        written.append(project.reports / "maps" / f"{drawn['name']}.csv")
        write_text(written[-1], "\ufeff" + kept.to_csv(index=False, lineterminator="\n"))
    return written
