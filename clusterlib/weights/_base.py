"""What all weights share: choices, checks of boundaries, graphs from matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from libpysal.graph import Graph
    from scipy.sparse import csr_array

TRANSFORMATIONS = ("r", "b", "o")


def make_graph(matrix: csr_array, ids: pd.Index, transformation: str) -> Graph:
    """Return the graph of a matrix whose rows and columns are ``ids``; the matrix loses its explicit zeros."""
    from libpysal.graph import Graph

    # An explicit zero on the diagonal would stand for an isolate.
    matrix.eliminate_zeros()
    graph = Graph.from_sparse(matrix, ids=ids)
    return graph if transformation == "o" else graph.transform(transformation)
