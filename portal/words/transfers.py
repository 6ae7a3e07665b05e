"""What operators read of bank files and transfers: why a file is refused, what became of a line, and why."""

from portal.domain.bank_files.lines import BankFileRefused, Fault
from portal.domain.vocabulary import BankFileKind, TransferReason, TransferState

from .i18n import gettext as _


def kind_words(kind: BankFileKind) -> str:
    return {
        BankFileKind.CAMT_053: _("Statement (camt.053)"),
        BankFileKind.CAMT_054: _("Notification (camt.054)"),
        BankFileKind.CSV: _("Table (CSV)"),
    }[kind]


def transfer_words(state: TransferState) -> str:
    return {
        TransferState.RECEIVED: _("Being matched"),
        TransferState.MATCHED: _("Matched"),
        TransferState.TO_CONFIRM: _("To confirm"),
        TransferState.PARKED: _("To decide"),
        TransferState.RETURNED: _("Taken back"),
        TransferState.IGNORED: _("Not ours"),
    }[state]


def reason_words(state: TransferState, reason: TransferReason) -> str:
    """Why a transfer is in its state, as a sentence; empty while nobody has looked."""
    if (state, reason) == (TransferState.PARKED, TransferReason.OPERATOR):
        return _("An operator undid its match.")
    return {
        TransferReason.NONE: "",
        TransferReason.REFERENCE: _("It names the reference of the invoice."),
        TransferReason.CUT_REFERENCE: _("It names the reference of the invoice, without its end."),
        TransferReason.NUMBERS: _("It names the customer number and the invoice number."),
        TransferReason.INVOICE_NUMBER: _("It names the invoice number, but not the customer."),
        TransferReason.CUSTOMER_AND_AMOUNT: _(
            "It names the customer, and the amount is that of an open invoice."
        ),
        TransferReason.ACCOUNT_AND_AMOUNT: _(
            "It comes from an account that has paid for this workspace before, and the amount is that of an "
            "open invoice."
        ),
        TransferReason.OPERATOR: _("An operator said so."),
        TransferReason.UNKNOWN: _("Nothing in it names an invoice or a customer."),
        TransferReason.WRONG_CURRENCY: _("The invoice that it names is in another currency."),
        TransferReason.SEVERAL_WORKSPACES: _("It names invoices of more than one workspace."),
        TransferReason.WORKSPACE_DELETED: _("The workspace whose invoice it names has been deleted."),
        TransferReason.MAYBE_KNOWN: _("Another file tells of a transfer like it: it may be the same one."),
        TransferReason.BATCH: _("The bank tells only the total of several transfers."),
        TransferReason.SENT_BACK_TO_US: _("A payment of ours came back to us."),
        TransferReason.TAKES_BACK: _("The bank takes an earlier transfer back."),
        TransferReason.TAKES_BACK_UNKNOWN: _(
            "The bank takes an earlier transfer back, and it is not certain which one."
        ),
        TransferReason.DEBIT: _("Money that left the account."),
        TransferReason.NOTHING: _("No money moved."),
        TransferReason.DETAILED: _("A later file tells of each of its transfers."),
        TransferReason.NOT_OURS: _("An operator set it aside."),
    }[reason]


def refusal_words(refused: BankFileRefused) -> str:
    """Why a file is refused, and where in it: nothing of it was imported."""
    said = _sentence(refused)
    if not refused.place:
        return said
    if refused.fault in (Fault.AMOUNT, Fault.DIRECTION, Fault.DATE) and not refused.expected:
        return _("Entry or row %(place)s: %(said)s", place=refused.place, said=said)
    return _("Line %(place)s: %(said)s", place=refused.place, said=said)


def _sentence(refused: BankFileRefused) -> str:
    words = {"found": refused.found, "expected": refused.expected}
    return {
        Fault.EMPTY: lambda: _("This file is empty."),
        Fault.TOO_LARGE: lambda: _("This file is larger than %(expected)s MB.", **words),
        Fault.TOO_MANY_LINES: lambda: _(
            "This file has more than %(expected)s lines. Ask the bank for smaller ones.", **words
        ),
        Fault.ENCODING: lambda: _(
            "This file is not written in the encoding %(found)s, or in one that we do not read. Ask the bank "
            "for UTF-8.",
            **words,
        ),
        Fault.DOCTYPE: lambda: _(
            "This file has a DOCTYPE or entities, which no bank statement needs. We do not open it."
        ),
        Fault.BROKEN: lambda: _("the file cannot be read from here on; it may have been cut off."),
        Fault.TOO_DEEP: lambda: _("This file is nested too deeply to be a bank statement."),
        Fault.NO_STATEMENT: lambda: _("There is no camt.053 or camt.054 statement in this file."),
        Fault.INTRADAY: lambda: _(
            "This is a report of the current day (camt.052), whose entries may still change. Import the "
            "statement instead."
        ),
        Fault.OTHER_ACCOUNT: lambda: _(
            "This is about the account %(found)s, and yours is %(expected)s.", **words
        ),
        Fault.NO_ACCOUNT: lambda: _("The statement does not say whose account it is about."),
        Fault.AMOUNT: lambda: (
            _("“%(found)s” is not an amount.", **words) if refused.found else _("the amount is missing.")
        ),
        Fault.CURRENCY: lambda: _("“%(found)s” is not a currency.", **words),
        Fault.DATE: lambda: (
            _("“%(found)s” is not a date.", **words)
            if not refused.expected
            else _("“%(found)s” is not a date like %(expected)s.", **words)
        ),
        Fault.DIRECTION: lambda: _("it does not say whether the money came or went."),
        Fault.TOTALS: lambda: _(
            "The entries do not add up: they come to %(found)s, and the statement says %(expected)s. Ask the "
            "bank for the statement again.",
            **words,
        ),
        Fault.COUNT: lambda: _(
            "The statement says that it has %(expected)s entries, and it has %(found)s.", **words
        ),
        Fault.NO_ROWS: lambda: _("There are no rows in this file."),
        Fault.CELL_MISSING: lambda: _("the row has only %(found)s columns.", **words),
    }[refused.fault]()
