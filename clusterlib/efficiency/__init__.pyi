from ._envelopment import EnvelopmentResult as EnvelopmentResult
from ._envelopment import data_envelopment as data_envelopment
from ._frontier import FrontierResult as FrontierResult
from ._frontier import stochastic_frontier as stochastic_frontier
from ._order_m import OrderMResult as OrderMResult
from ._order_m import order_m as order_m
