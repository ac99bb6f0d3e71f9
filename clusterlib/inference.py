"""What every table of coefficients shares: statistics, p values, intervals and stars (系数表)."""

from clusterlib.core.results import STARS_NOTE, coefficient_table, stars

__all__ = ["STARS_NOTE", "coefficient_table", "stars"]
