from ._document import Document as Document
from ._prose import Judgements as Judgements
from ._prose import Prose as Prose
from ._render import Paper as Paper
from ._render import papers as papers
from ._render import read_paper as read_paper
from ._render import write_paper as write_paper
