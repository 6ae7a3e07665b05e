"""Forms about money that came by bank transfer, for the vendor's staff."""

from collections.abc import Sequence
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms.fields import FileField

from portal.domain.bank_files.tables import DATE_FORMATS, CsvMapping
from portal.domain.money import EXPONENTS
from portal.words.i18n import Choices, Sentence
from portal.words.i18n import lazy_gettext as _l

from .base import CheckboxField, ChoiceField, HiddenTextField, ParagraphField, PortalForm

CURRENCIES = ("EUR", "USD", "GBP", "CHF", *sorted({*EXPONENTS} - {"EUR", "USD", "GBP", "CHF"}))
ACCEPTED = ".xml,.csv,.txt,application/xml,text/xml,text/csv,text/plain"


class StatementForm(PortalForm):
    """The file itself is read by the page: it is no field of text."""

    file = FileField(
        _l("File of the bank"),
        description=_l("camt.053 or camt.054 (XML), or CSV. At most 16 MB."),
        render_kw={"accept": ACCEPTED},
    )


def _note(required: Sentence) -> ParagraphField:
    """A reason that only the vendor's staff reads."""
    return ParagraphField(
        _l("Reason"),
        required=required,
        max_length=500,
        description=_l("For your colleagues; nobody else reads it."),
        render_kw={"rows": 3},
    )


class SetAsideForm(PortalForm):
    note = _note(_l("Say why this transfer is not for a workspace."))


class UndoMatchForm(PortalForm):
    """`shown`: the hash of what the page said that undoing does."""

    note = _note(_l("Say why this match was wrong."))
    shown = HiddenTextField(max_length=64)


class CsvMappingForm(PortalForm):
    """Which column of a CSV is what. Read from the address, as it only shows what would be imported."""

    class Meta(PortalForm.Meta):
        csrf = False

    separator = ChoiceField(
        _l("Separator of the columns"),
        choices=[
            (";", _l("semicolon ;")),
            (",", _l("comma ,")),
            ("\t", _l("tab")),
            ("|", _l("vertical bar |")),
        ],
        required=_l("Choose the separator."),
    )
    has_header = CheckboxField(_l("The first row has the names of the columns"))
    date = ChoiceField(_l("Date"), required=_l("Choose the column of the date."))
    date_format = ChoiceField(
        _l("How dates are written"),
        choices=[(each, each) for each in DATE_FORMATS],
        required=_l("Choose how dates are written."),
    )
    amount = ChoiceField(_l("Amount"), required=_l("Choose the column of the amount."))
    debit = ChoiceField(
        _l("Money that went"),
        description=_l("Only where it has a column of its own: then “Amount” is what came."),
    )
    decimal = ChoiceField(
        _l("Decimal mark"),
        choices=[(",", _l("comma: 1 234,56")), (".", _l("point: 1,234.56"))],
        required=_l("Choose the decimal mark."),
    )
    is_reversed = CheckboxField(_l("Money that came has a minus"))
    currency_column = ChoiceField(_l("Currency"))
    currency = ChoiceField(
        _l("Currency where no column says it"),
        choices=[(each, each) for each in CURRENCIES],
        required=_l("Choose the currency."),
    )
    payer_name = ChoiceField(_l("Name of the payer"))
    payer_iban = ChoiceField(_l("IBAN of the payer"))
    text1 = ChoiceField(_l("Text of the transfer"))
    text2 = ChoiceField(_l("More text"))
    reference = ChoiceField(_l("Creditor reference"))
    bank_reference = ChoiceField(
        _l("The bank’s own number of the transfer"),
        description=_l("By it the same transfer is known again in another file."),
    )
    account = ChoiceField(
        _l("Your own account"), description=_l("Where the file says it: rows of another account are refused.")
    )

    def __init__(self, formdata: MultiDict[str, str] | None, *, columns: Choices, **values: Any) -> None:
        super().__init__(formdata, **values)
        none = ("0", _l("not in the file"))
        for name in NAMED_COLUMNS:
            must = name in ("date", "amount")
            self[name].offer(columns if must else [none, *columns])

    def mapping(self) -> CsvMapping:
        """Once it is validated."""
        chosen = {name: int(self[name].data or 0) for name in NAMED_COLUMNS}
        texts = dict.fromkeys(column for column in (chosen.pop("text1"), chosen.pop("text2")) if column)
        return CsvMapping(
            separator=self.separator.data,
            has_header=self.has_header.data,
            date_format=self.date_format.data,
            decimal=self.decimal.data,
            is_reversed=self.is_reversed.data,
            currency=self.currency.data,
            texts=tuple(texts),
            **chosen,
        )


NAMED_COLUMNS: Sequence[str] = (
    "date", "amount", "debit", "currency_column", "payer_name", "payer_iban", "text1", "text2", "reference",
    "bank_reference", "account",
)  # fmt: skip


def values_of(mapping: CsvMapping) -> dict[str, Any]:
    """As the fields of the form have them."""
    texts = (*map(str, mapping.texts), "0", "0")
    columns = {name: str(getattr(mapping, name)) for name in NAMED_COLUMNS if not name.startswith("text")}
    return {
        "separator": mapping.separator,
        "has_header": mapping.has_header,
        "date_format": mapping.date_format,
        "decimal": mapping.decimal,
        "is_reversed": mapping.is_reversed,
        "currency": mapping.currency,
        "text1": texts[0],
        "text2": texts[1],
        **columns,
    }
