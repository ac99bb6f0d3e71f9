"""The columns of the raw tables, for those who read them without pandas as well."""

# The column that names the unit of observation at each level of the panels.
KEYS = {"province": "adcode", "city": "adcode", "economy": "economy"}
LEVELS = tuple(KEYS)
CATALOGUE_COLUMNS = (
    "level indicator name_en name_zh theme unit unit_zh definition source first_year last_year cells vintage breaks "
    "breaks_zh direction formula minimum maximum"
).split()
LIST_COLUMNS = ["table", "list", "rows"]
# The tables whose rows lists.csv counts, and the column that tells their lists apart.
LISTED = {"sources": "", "units": "level", "economies": "", "clusters": "programme", "policies": "policy"}
UNIT_COLUMNS = ["adcode", "level", "name_zh", "name_en", "province"]
