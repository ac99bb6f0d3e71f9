from ._author import Phrase as Phrase
from ._author import Report as Report
from ._document import collect_document as collect_document
from ._lookup import ResultLookup as ResultLookup
from ._render import write_report as write_report
