"""The written report (研究报告): prose whose numbers are recorded results, set as HTML, Word and PDF."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["author", "document", "lookup", "prose", "render"],
    submod_attrs={
        "author": ["Phrase", "Report"],
        "document": ["collect_document"],
        "lookup": ["ResultLookup"],
        "render": ["write_report"],
    },
)
