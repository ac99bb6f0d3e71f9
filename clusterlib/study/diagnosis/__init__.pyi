from . import indicators as indicators
from ._governance import SharedShocksResult as SharedShocksResult
from ._governance import border_estimates as border_estimates
from ._governance import border_spillovers as border_spillovers
from ._pairs import PairCorrelations as PairCorrelations
from ._pairs import pair_correlations as pair_correlations
from .indicators import load_growth_panel as load_growth_panel
from .indicators import region_cities as region_cities
