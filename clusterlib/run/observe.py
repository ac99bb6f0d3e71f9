"""Start-up file of a run's kernel: tell the run, after each cell, which modules of the library are loaded by now."""


def _observe() -> None:
    import os
    import sys

    told: set[str] = set()

    def tell(_: object = None) -> None:
        new = {name for name in list(sys.modules) if name.startswith("clusterlib.")} - told
        if new:
            told.update(new)
            with open(os.environ["CLUSTERLIB_READS"], "a", encoding="utf-8") as file:
                file.write("".join(f"{name}\n" for name in sorted(new)))

    get_ipython().events.register("post_run_cell", tell)  # type: ignore[name-defined]  # noqa: F821


_observe()
del _observe
