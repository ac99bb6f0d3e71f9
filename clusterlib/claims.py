"""The name that users type for :mod:`clusterlib.study.claims`."""

import sys

from clusterlib.study import claims

sys.modules[__name__] = claims
