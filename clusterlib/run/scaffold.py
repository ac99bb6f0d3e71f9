"""A notebook to start from, which keeps the project's rules."""

from __future__ import annotations

import re
from pathlib import Path

from clusterlib.errors import InvalidInputError
from clusterlib.paths import Project, get_project

_NAME = re.compile(r"\d{2}_[a-z0-9]+(_[a-z0-9]+)*")

_QUESTION = """# {title}

**Question.** What does this notebook answer, for every region?

**Data.** Gross domestic product and resident population of provinces, from the yearbooks.

**Method.** Output per head, $y_{{it}} = 10^4 \\, Y_{{it}} / P_{{it}}$, of each province of the region."""
_PARAMETERS = 'region: str = "yrd"\nyears: str = "2016:2024"'
_SETUP = """import clusterlib as cl
from clusterlib.results import record

cl.figures.use_style()
area = cl.regions.get_region(region)
panel = cl.data.load_panel("province", ["gdp", "resident_population"], region, years).dropna()
names = cl.data.load_units("province")["name_zh"]"""
_RESULTS_TEXT = "## Output per head 人均产出\n\nSay what the table and the figure show."
_TABLE = """per_head = (panel["gdp"] / panel["resident_population"]).unstack("year").rename(index=names)
record(
    "per_head.table",
    per_head.rename_axis("province"),
    label="Output per head by province",
    label_zh="分省人均产出",
    unit="10,000 yuan per person",
    digits=1,
    headers={"province": "Province 省份"},
    source="National Bureau of Statistics",
)
record(
    "per_head.mean_latest",
    float(per_head.iloc[:, -1].mean()),
    unit="10,000 yuan per person",
    label=f"Output per head, mean of provinces, {per_head.columns[-1]}",
    label_zh="人均产出均值",
    note=f"n = {len(per_head)} provinces",
)"""
_FIGURE = """mean = per_head.mean().to_frame(region)
figure = cl.figures.trend_lines(
    mean,
    cl.figures.REGION_MARKS,
    {region: f"{area.short_en} {area.name_zh}"},
    "Output per head, mean of provinces 人均产出均值",
    "10,000 yuan 万元",
)
record(
    "per_head.figure",
    figure,
    label="Output per head, mean of provinces",
    label_zh="人均产出均值",
    note=f"n = {len(per_head)} provinces",
    source="National Bureau of Statistics",
    alt=f"Line of output per head in {area.name_en}, from {mean[region].iloc[0]:.1f} to {mean[region].iloc[-1]:.1f}.",
)"""
_CAVEATS = "## Caveats 说明\n\n- Say what the figures cannot tell."


def write_skeleton(name: str, title: str = "", project: Project | None = None) -> Path:
    """Write ``notebooks/<name>.ipynb`` and return its path.

    Raises
    ------
    InvalidInputError
        If the name is not two digits and words in lower case, or its number or the file is taken.
    """
    from clusterlib.run.quick import nbformat

    project = project or get_project()
    name = name.removesuffix(".ipynb")
    if not _NAME.fullmatch(name):
        raise InvalidInputError(f"{name!r}: a notebook is named by two digits and words, such as 11_energy_use")
    if taken := sorted(project.notebooks.glob(f"{name[:2]}_*.ipynb")):
        raise InvalidInputError(f"number {name[:2]} is taken by {taken[0].name}")
    title = title or f"{name[3:].replace('_', ' ').capitalize()} 标题"
    make = nbformat.v4
    notebook = make.new_notebook(
        cells=[
            make.new_markdown_cell(_QUESTION.format(title=title), id="question"),
            make.new_code_cell(_PARAMETERS, id="parameters", metadata={"tags": ["parameters"]}),
            make.new_code_cell(_SETUP, id="setup"),
            make.new_markdown_cell(_RESULTS_TEXT, id="per-head-text"),
            make.new_code_cell(_TABLE, id="per-head-table"),
            make.new_code_cell(_FIGURE, id="per-head-figure"),
            make.new_markdown_cell(_CAVEATS, id="caveats"),
        ],
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )
    project.notebooks.mkdir(exist_ok=True)
    path = project.notebooks / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path
