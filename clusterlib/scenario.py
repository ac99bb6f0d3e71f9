"""The name that users type for :mod:`clusterlib.study.scenario`."""

import sys

from clusterlib.study import scenario

sys.modules[__name__] = scenario
