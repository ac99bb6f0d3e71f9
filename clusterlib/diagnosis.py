"""The name that users type for :mod:`clusterlib.study.diagnosis`."""

import sys

from clusterlib.study import diagnosis

sys.modules[__name__] = diagnosis
