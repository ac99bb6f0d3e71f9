from . import base as base
from ._ground import city_points as city_points
from ._maps import china_map as china_map
from ._maps import ellipse_map as ellipse_map
from ._maps import lisa_map as lisa_map
from ._maps import network_map as network_map
from ._maps import region_map as region_map
from .base import scale_bar as scale_bar
