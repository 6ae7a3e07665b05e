"""Text of several lines."""

from collections.abc import Sequence
from typing import Any

from wtforms.widgets import TextArea

from portal.words.i18n import Sentence
from portal.words.i18n import lazy_gettext as _l

from .base import TextField, clean_text

LONGEST = 2000
MOST_LINES = 200


class ParagraphField(TextField):
    """Several lines, each cleaned like any other text; `data` has a line feed between them."""

    widget = TextArea()

    def __init__(self, label: Sentence | None = None, *, max_length: int = LONGEST, **kwargs: Any) -> None:
        super().__init__(label, max_length=max_length, **kwargs)

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        text = str(valuelist[0]) if valuelist else ""
        lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").split("\n")
        cleaned = [clean_text(line, max_length=self.max_length) for line in lines[:MOST_LINES]]
        self.data = "\n".join(line for line, _fault in cleaned).strip()
        self.fault = next((fault for _line, fault in cleaned if fault), None)
        if len(lines) > MOST_LINES or len(self.data) > self.max_length:
            self.fault = _l(
                "Use %(max_length)s characters in %(lines)s lines at most.",
                max_length=self.max_length,
                lines=MOST_LINES,
            )
