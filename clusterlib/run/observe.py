"""Start-up file of a run's kernel: tell the run, after each cell, what of the library is loaded and what it cost."""


def _observe() -> None:
    import os
    import resource
    import sys

    told: set[str] = set()

    def tell(_: object = None) -> None:
        new = {name for name in list(sys.modules) if name.startswith("clusterlib.")} - told
        told.update(new)
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        seconds = sum(one.ru_utime + one.ru_stime for one in used)
        lines = [*sorted(new), f"cpu_seconds={seconds:.3f}", f"peak_memory_mb={used[0].ru_maxrss / 1024:.1f}"]
        with open(os.environ["CLUSTERLIB_READS"], "a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))

    get_ipython().events.register("post_run_cell", tell)  # type: ignore[name-defined]  # noqa: F821


_observe()
del _observe
