from . import agglomeration as agglomeration
from . import claims as claims
from . import composite as composite
from . import data as data
from . import diagnosis as diagnosis
from . import did as did
from . import efficiency as efficiency
from . import errors as errors
from . import explore as explore
from . import figures as figures
from . import inequality as inequality
from . import inference as inference
from . import maps as maps
from . import panel as panel
from . import paths as paths
from . import regions as regions
from . import report as report
from . import results as results
from . import run as run
from . import scenario as scenario
from . import spatial as spatial
from . import spatial_panel as spatial_panel
from . import specification_curve as specification_curve
from . import study as study
from . import tables as tables
from . import weights as weights

__version__: str
