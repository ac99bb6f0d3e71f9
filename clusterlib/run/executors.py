"""Where notebooks are executed: in forked kernels on this machine, or on the workers of a cluster."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from clusterlib.paths import Project
from clusterlib.run.execute import Job, execute
from clusterlib.run.places import Failure

Executor = Callable[[Job, Path, Path], Failure | None]


def _prepare_kernels(modules: list[str], ahead: bool) -> None:
    """Say what the notebooks will want, and start importing it while the rest gets ready."""
    from clusterlib.run import warm
    from clusterlib.run.kernels import kernel_environment

    warm.prepare(modules)
    if not ahead:
        return
    try:
        warm.get_zygote(kernel_environment({}))
    except warm.CannotFork as reason:
        warm.log.warning("ordinary kernels are started, which takes longer: %s", reason)


@contextlib.contextmanager
def use_executor(
    dask: str | None,
    project: Project,
    modules: list[str] | None,
    workers: int | None,
    *,
    ahead: bool = True,
) -> Iterator[tuple[Executor, int]]:
    """Give what executes a notebook, here or on a cluster, and how many it takes at a time.

    ``modules`` are those of other packages that the notebooks import, None where there is nothing to execute. With
    ``ahead`` they begin to be imported at once, else when the first notebook is taken up.
    """
    if modules is None:
        yield execute, workers or os.cpu_count() or 1
        return
    if dask:
        from clusterlib.run.cluster import connect

        with connect(dask, project, modules) as cluster:
            yield cluster.execute, cluster.slots
        return
    _prepare_kernels(modules, ahead)
    yield execute, workers or os.cpu_count() or 1
