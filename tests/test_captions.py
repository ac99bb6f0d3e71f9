"""Caption files: what they may hold, how texts are filled, and that no result mixes languages."""

from __future__ import annotations

import json
import re

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from clusterlib.captions import Wording, load_captions, say_list
from clusterlib.core.language import LANGUAGES, say, speaking
from clusterlib.errors import ClusterlibError, InvalidInputError
from clusterlib.figures import use_style
from clusterlib.paths import get_project
from clusterlib.results import MIME, Recorder

FILE = """\
sources:
  nbs: {en: NBS, zh: 国家统计局}
words:
  year: {en: Year, zh: 年份}
  fell: {en: fell, zh: 下降}
  score: {en: Score, zh: 得分}
  club: {en: club, zh: 俱乐部}
results:
  change:
    label: {en: "Change, {years}", zh: "{years}年的变化"}
    unit: {en: points, zh: 分}
    note: {en: "{draws:,} draws", zh: "{draws:,}次抽样"}
    source: nbs
    digits: 2
  "{series}_verdict":
    label: {en: "What happened to {series}", zh: "{series}的变化"}
  ranking:
    label: {en: Ranking, zh: 排名}
    units: [place]
    heads: {place: {en: Place, zh: 地点}, remark: {en: Remark, zh: 备注}}
    as_is: [remark]
  trend.figure:
    label: {en: A trend, zh: 趋势}
    text:
      y: {en: "{n} points", zh: "{n}个点"}
    each:
      ends: {en: "{name!u} {value:.1f}", zh: "{name!u}为{value:.1f}"}
    alt: {en: "A line: {ends}.", zh: 折线：{ends}。}
  plain:
    label: {en: Ups < downs, zh: 升降}
    note: {en: a & b, zh: 甲}
    source: nbs
    alt: Nothing.
    optional: true
  seldom:
    label: {en: Seldom, zh: 偶见}
    optional: true
"""


@pytest.fixture(autouse=True)
def shell(tmp_path, monkeypatch):
    """IPython's own shell, whose display publisher the tests capture."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    yield InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    InteractiveShell.clear_instance()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "01_a.yml").write_text(FILE.replace("zh: 折线：{ends}。", 'zh: "折线：{ends}。"'), encoding="utf-8")
    return tmp_path


def recorded(folder, name, value, **values):
    """Return what a notebook's output holds of a record: the entry, and by language how it is shown."""
    record = Recorder("01_a", folder=folder, years="2016:2023", draws=1000)
    with capture_output() as captured:
        record(name, value, **values)
    outputs = captured.outputs
    entry = outputs[0].data[MIME]
    return entry, {about["language"]: o.data for o in outputs if "part" not in (about := o.metadata[MIME])}


def test_a_number_is_called_and_noted_in_both_languages_with_values_in_braces(folder):
    entry, shown = recorded(folder, "change", -1.234)
    assert (entry["value"], entry["label_en"], entry["label_zh"]) == (-1.234, "Change, 2016–2023", "2016—2023年的变化")
    assert (entry["unit"], entry["unit_zh"], entry["note"], entry["note_zh"]) == (
        "points", "分", "1,000 draws", "1,000次抽样",
    )  # fmt: skip
    assert (entry["source"], entry["source_zh"]) == ("NBS", "国家统计局")
    assert shown["en"]["text/plain"] == "Change, 2016–2023: -1.23 points"
    assert shown["zh"]["text/plain"] == "2016—2023年的变化：-1.23 分"


def test_a_text_is_recorded_as_a_word_in_both_languages_and_its_name_says_of_what(folder):
    entry, _ = recorded(folder, "score_verdict", "fell")
    assert (entry["kind"], entry["value"], entry["value_zh"]) == ("text", "fell", "下降")
    assert (entry["label_en"], entry["label_zh"]) == ("What happened to Score", "得分的变化")


def test_a_table_keeps_its_keys_and_shows_words_and_names_of_places(folder):
    frame = pd.DataFrame(
        {
            "place": [310000, 330100],
            "score": [0.5, None],
            "remark": ["中文", "as it is"],
            "club": [["fell", "club"], []],
        },
        index=pd.Index([2020, 2021], name="year"),
    )
    entry, shown = recorded(folder, "ranking", frame)
    assert entry["value"]["columns"] == ["place", "score", "remark", "club"]
    assert entry["value"]["data"][0][:3] == [2020, 310000, 0.5]
    assert entry["shown_zh"]["heads"] == ["年份", "地点", "得分", "备注", "俱乐部"]
    assert entry["shown"]["rows"][0] == ["2020", "Shanghai", "0.5000", "中文", "fell, club"]
    assert entry["shown_zh"]["rows"][0] == ["2020", "上海", "0.5000", "中文", "下降、俱乐部"]
    assert entry["shown_zh"]["rows"][1][1:3] == ["杭州", "–"]
    assert "上海" in shown["zh"]["text/html"] and "上海" not in shown["en"]["text/html"]


def test_a_span_of_years_is_written_as_its_language_writes_it_in_tables_too(folder):
    frame = pd.DataFrame({"2016:2019": ["2018:2023"]}, index=pd.Index([2020], name="year"))
    entry, _ = recorded(folder, "ranking", frame)
    assert entry["value"]["data"] == [[2020, "2018:2023"]]
    assert (entry["shown"]["heads"], entry["shown"]["rows"]) == (["Year", "2016–2019"], [["2020", "2018–2023"]])
    assert entry["shown_zh"]["rows"] == [["2020", "2018—2023"]]


def test_a_figure_is_drawn_once_in_each_language_by_the_same_function(folder):
    use_style()
    drawn = []

    def draw(words):
        figure, axes = plt.subplots()
        axes.set(title=words("score"), ylabel=words("y", n=3), xlabel=say("Year", "年份"))
        drawn.append((axes.get_title(loc="left"), axes.get_ylabel(), axes.get_xlabel()))
        return figure

    ends = [{"name": 310000, "value": 1.25}, {"name": 330100, "value": 2.0}]
    entry, shown = recorded(folder, "trend.figure", draw, ends=ends)
    assert drawn == [("Score", "3 points", "Year"), ("得分", "3个点", "年份")]
    assert (entry["value"], entry["value_zh"]) == ("figures/trend.figure.en.png", "figures/trend.figure.zh.png")
    assert entry["alt"] == "A line: Shanghai 1.2; Hangzhou 2.0."
    assert entry["alt_zh"] == "折线：上海为1.2；杭州为2.0。"
    assert shown["en"]["image/png"] != shown["zh"]["image/png"]
    assert plt.get_fignums() == []


def test_a_figure_is_followed_by_its_caption_in_the_notebook_alone(folder):
    record = Recorder("01_a", folder=folder, years="2016:2023", draws=1000)
    with capture_output() as captured:
        record("plain", lambda words: plt.subplots()[0])
    assert [(o.metadata[MIME]["language"], o.metadata[MIME].get("part")) for o in captured.outputs] == [
        ("en", None), ("en", "caption"), ("zh", None), ("zh", "caption"),
    ]  # fmt: skip
    english, chinese = (captured.outputs[i].data for i in (1, 3))
    assert "<strong>Ups &lt; downs</strong> <small>Note: a &amp; b; Source: NBS</small>" in english["text/html"]
    assert "<strong>升降</strong> <small>注：甲；资料来源：国家统计局</small>" in chinese["text/html"]
    assert MIME not in english and MIME not in chinese


def test_no_figure_writes_what_its_caption_says(folder):
    with pytest.raises(InvalidInputError, match="no word for 'title'"):
        recorded(folder, "plain", lambda words: plt.subplots(num=words("title"))[0])
    notebooks = get_project().analyses
    titled = r"\b(suptitle|set_title|title ?=)"
    assert notebooks and not [path.stem for path in notebooks if re.search(titled, path.read_text(encoding="utf-8"))]
    written = [
        (notebook.stem, caption.name, key)
        for notebook in notebooks
        for caption in load_captions(notebook.stem).results.values()
        for key, text in caption.groups["text"].items()
        if key == "title" or text == caption.texts["label"]
    ]
    assert written == []


def test_a_figure_that_is_drawn_already_is_refused_with_what_to_do(folder):
    figure = plt.figure()
    with pytest.raises(InvalidInputError, match="lambda words"):
        recorded(folder, "trend.figure", figure, ends=[])
    plt.close(figure)


@pytest.mark.parametrize(
    ("name", "value", "values", "message"),
    [
        ("unknown", 1, {}, r"01_a.yml has no caption for 'unknown': add it .*\n  unknown:"),
        ("score_verdict", "hurtled_down", {}, "no word for 'hurtled_down' in English"),
        ("score_verdict", "hurtled down", {}, "no word for 'hurtled down' in Chinese"),
        ("ranking", pd.DataFrame({"nobody": ["knows this"]}), {}, "no Chinese word for .*'nobody'"),
        ("trend.figure", lambda words: plt.figure(), {}, "asks for 'ends', which record"),
    ],
)
def test_what_has_no_words_is_refused_and_nothing_is_shown(folder, name, value, values, message):
    record = Recorder("01_a", folder=folder, years="2016:2023", draws=1000)
    with capture_output() as captured, pytest.raises(InvalidInputError, match=message):
        record(name, value, **values)
    assert captured.outputs == []
    plt.close("all")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sources:", "origins:", r"01_a.yml, line 1, at 'origins': unknown; expected one of sources, words, results"),
        ("  fell: {en: fell, zh: 下降}", "  fell: {en: fell}", r"line 5, at 'words.fell': expected {en: ..., zh: ...}"),
        ("en: fell,", "en: 下降,", "line 5, at 'words.fell.en': Chinese in the English text"),
        ("en: fell,", "en: 3,", "line 5, at 'words.fell.en': expected a text, got 3: set it in quotes"),
        ("  score:", "  year:", "line 6: 'year' is given twice"),
        ("    source: nbs", "    source: nbc", "line 13, at 'results.change.source': unknown source 'nbc'; expected"),
        ("    digits: 2", "    digits: two", "line 14, at 'results.change.digits': expected decimals"),
        ("    digits: 2", "    decimals: 2", "line 14, at 'results.change.decimals': unknown; expected one of label"),
        ("    label: {en: Ranking, zh: 排名}\n", "", "line 17, at 'results.ranking': label: is missing"),
        ("  ranking:", "  Ranking:", "line 17, at 'results.Ranking': a result's name has lower case letters"),
        ("{draws:,} draws", "{draws!r} draws", "line 12, at 'results.change.note.en': {draws}: braces hold"),
        ("{draws:,} draws", "{draws.real}", "line 12, .*braces hold"),
        ("{draws:,} draws", "{draws:{width}}", "line 12, .*braces hold"),
        ("{draws:,} draws", "{draws", "line 12, "),
        ("nbs: {en: NBS, zh: 国家统计局}", "nbs: !!python/object/apply:os.getcwd []", "line 2: aliases .* and tags"),
        ("  nbs: {en: NBS", "  nbs: {en: NBS, : ", "01_a.yml, line 2: "),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_named_with_its_line(folder, old, new, message):
    path = folder / "01_a.yml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ClusterlibError, match=message):
        load_captions("01_a", folder)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ClusterlibError, match=r"02_b\.yml, line 0: the file is missing"):
        load_captions("02_b", tmp_path)


def test_captions_for_which_nothing_was_recorded_are_named_with_their_line(folder):
    captions = load_captions("01_a", folder)
    captions.check_used(["change", "score_verdict", "ranking", "trend.figure"])
    with pytest.raises(ClusterlibError, match=r"01_a\.yml, line 17: ranking: nothing was recorded"):
        captions.check_used(["change", "score_verdict", "trend.figure"])


@pytest.mark.parametrize(
    ("p", "said"), [(0.0123, "p = 0.012"), (0.0004, "p < 0.001"), (0, "p < 0.001"), (float("nan"), "–")]
)
def test_a_p_value_is_never_written_as_nought(folder, p, said):
    path = folder / "01_a.yml"
    path.write_text(path.read_text(encoding="utf-8").replace('"{draws:,} draws"', '"{p!p}"'), encoding="utf-8")
    assert recorded(folder, "change", 1.0, p=p)[0]["note"] == said


def test_a_name_in_full_goes_before_one_with_braces(folder):
    path = folder / "01_a.yml"
    path.write_text(path.read_text(encoding="utf-8") + "  gdp_verdict:\n    label: GDP\n", encoding="utf-8")
    caption, parts = load_captions("01_a", folder).find("gdp_verdict")
    assert (caption.name, parts) == ("gdp_verdict", {})


def test_words_of_all_notebooks_stand_behind_those_of_the_file(folder):
    (folder / "words.yml").write_text("words:\n  year: {en: 'no', zh: 否}\n  n: n\n", encoding="utf-8")
    captions = load_captions("01_a", folder)
    words = {language: Wording(captions, captions.results["change"], language, {}) for language in LANGUAGES}
    assert [words[language]("year") for language in LANGUAGES] == ["Year", "年份"]
    assert [words[language]("n") for language in LANGUAGES] == ["n", "n"]
    # Of the study and the catalogue.
    assert [words[language]("yrd") for language in LANGUAGES] == ["YRD", "长三角"]
    assert words["zh"]("software_revenue_share") == "软件业务收入占地区生产总值比重"


def test_lists_are_written_as_each_language_does():
    assert say_list(["a", "b", ""], "en") == "a, b"
    assert say_list(["甲", "乙"], "zh") == "甲、乙"
    assert say_list(["甲", "乙"], "zh", long=True) == "甲；乙"


def test_a_language_lasts_as_long_as_its_block_and_an_unknown_one_is_refused():
    with speaking("zh"):
        assert say("Year", "年份") == "年份"
    assert say("Year", "年份") == "Year"
    with pytest.raises(ClusterlibError, match="language"), speaking("fr"):
        pass


@pytest.mark.parametrize("path", sorted(get_project().notebooks.glob("*.yml")), ids=lambda path: path.stem)
def test_the_projects_files_are_right_and_their_chinese_is_chinese(path):
    captions = load_captions(path.stem)
    for caption in captions.results.values():
        for name, text in caption.texts.items():
            plain = re.sub(r"\{[^}]*\}", "", text["zh"])
            assert re.search(r"[\u4e00-\u9fff{]", text["zh"]) or not re.search(r"[A-Za-z]{4,}", plain), (
                f"{path.name}: {caption.name} {name} has no Chinese"
            )


def test_a_record_is_plain_json(folder):
    entry, _ = recorded(folder, "change", 1.5)
    assert json.loads(json.dumps(entry)) == entry
