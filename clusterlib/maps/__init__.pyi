from ._base import scale_bar as scale_bar
from ._country import china_map as china_map
from ._country import city_points as city_points
from ._patterns import ellipse_map as ellipse_map
from ._patterns import lisa_map as lisa_map
from ._patterns import network_map as network_map
from ._regional import region_map as region_map
