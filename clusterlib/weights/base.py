"""What all weights share: choices, checks of boundaries, graphs from matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clusterlib.errors import InvalidInputError, UnknownNameError

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from libpysal.graph import Graph
    from scipy.sparse import csr_array

TRANSFORMATIONS = ("r", "b", "o")


def check_choice(kind: str, value: str, valid: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of ``valid``, else raise UnknownNameError."""
    if value not in valid:
        raise UnknownNameError(kind, value, valid)
    return value


def check_boundaries(boundaries: GeoDataFrame) -> None:
    """Raise InvalidInputError unless these are at least two units with a geometry each, in degrees."""
    if not hasattr(boundaries, "geometry"):
        raise InvalidInputError(
            f"expected a GeoDataFrame, as of clusterlib.data.load_boundaries, got a {type(boundaries).__name__}"
        )
    if len(boundaries) < 2:
        raise InvalidInputError(f"{len(boundaries)} unit(s): weights join at least two")
    if boundaries.index.has_duplicates:
        raise InvalidInputError(f"{boundaries.index[boundaries.index.duplicated()][0]} has more than one row")
    if boundaries.crs is None or not boundaries.crs.is_geographic:
        raise InvalidInputError("expected boundaries in degrees: use boundaries.to_crs('EPSG:4326')")
    empty = boundaries.index[boundaries.geometry.isna() | boundaries.geometry.is_empty]
    if len(empty):
        raise InvalidInputError(f"no geometry for {', '.join(map(str, empty))}")


def make_graph(matrix: csr_array, ids: pd.Index, transformation: str) -> Graph:
    """Return the graph of a matrix whose rows and columns are ``ids``; the matrix loses its explicit zeros."""
    from libpysal.graph import Graph

    # An explicit zero on the diagonal would stand for an isolate.
    matrix.eliminate_zeros()
    graph = Graph.from_sparse(matrix, ids=ids)
    return graph if transformation == "o" else graph.transform(transformation)


def names_of(boundaries: GeoDataFrame) -> pd.Series:
    """Return the Chinese names by unit, empty where there are none."""
    names = boundaries["name_zh"] if "name_zh" in boundaries else pd.Series("", index=boundaries.index)
    return names.astype("str")


def listed(boundaries: GeoDataFrame, units: pd.Index) -> str:
    """Return names and codes of these units for a message."""
    return ", ".join(f"{name} ({unit})" for unit, name in names_of(boundaries)[units].items())
