"""The raw tables and their columns, for those who read them without pandas as well."""

from pathlib import Path

# The columns that name the unit of observation at each level: one in panels, two in the table of pairs of cities.
KEYS = {
    "province": ["adcode"],
    "city": ["adcode"],
    "county": ["adcode"],
    "economy": ["economy"],
    "pair": ["adcode_from", "adcode_to"],
}
LEVELS = tuple(KEYS)
# What stands for all provinces where a place is told.
NATION = "nation"
PANELS = tuple(level for level, key in KEYS.items() if len(key) == 1)
CATALOGUE_COLUMNS = (
    "level indicator name_en name_zh theme unit unit_zh definition source first_year last_year cells vintage breaks "
    "breaks_zh direction formula minimum maximum"
).split()
LIST_COLUMNS = ["table", "list", "rows"]
# The tables whose rows lists.csv counts, and the column that tells their lists apart.
LISTED = {
    "sources": "",
    "units": "level",
    "economies": "",
    "clusters": "programme",
    "policies": "policy",
    "cluster_counts": "programme",
    "boundary_changes": "kind",
    "unit_history": "level",
}
UNIT_COLUMNS = ["adcode", "level", "name_zh", "name_en", "province"]


def raw_files(raw: Path) -> list[Path]:
    """Return the files that are meant as raw tables, in whatever folder and case; hidden folders are an editor's."""
    found = (path for path in sorted(raw.rglob("*.*")) if path.name.lower().endswith(".csv"))
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(raw).parts[:-1])]
