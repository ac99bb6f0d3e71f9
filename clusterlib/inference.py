"""What every table of coefficients shares (系数表); what a design can see, and what several tests say together."""

from clusterlib.core.missing import Pooled, pool
from clusterlib.core.multiple import holm
from clusterlib.core.power import minimum_detectable_effect
from clusterlib.core.results import STARS_NOTE, coefficient_table, stars
from clusterlib.core.trend import LatestLevel, latest_level

__all__ = [
    "STARS_NOTE",
    "LatestLevel",
    "Pooled",
    "coefficient_table",
    "holm",
    "latest_level",
    "minimum_detectable_effect",
    "pool",
    "stars",
]
