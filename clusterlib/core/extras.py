"""Packages that only some parts need, which an extra of clusterlib brings (可选依赖)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from clusterlib.errors import MissingExtraError


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """Say which extra to install where a package is missing, around imports or, as a decorator, a function.

    Parameters
    ----------
    name : str
        Of the extra in ``pyproject.toml``.

    Raises
    ------
    MissingExtraError
        If a package that is no part of clusterlib is not there.

    Examples
    --------
    >>> with extra("report"):
    ...     import a_package_that_is_missing
    Traceback (most recent call last):
    clusterlib.errors.MissingExtraError: a_package_that_is_missing is not installed: pip install "clusterlib[report]"
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] == "clusterlib":
            raise
        raise MissingExtraError(f'{error.name} is not installed: pip install "clusterlib[{name}]"') from None
