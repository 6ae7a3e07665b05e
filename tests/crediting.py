"""Giving a part of an invoice back, as a change of licences does: the days from one day on."""

from datetime import date

from portal.database.connecting import transaction
from portal.domain.prorated_lines import CreditLine
from portal.models import Invoice
from portal.runtime import current
from portal.services.invoices import crediting, issuing


def days_from(invoice: Invoice, on: date) -> list[CreditLine]:
    """What comes back of each line that something is left of."""
    given_back = [CreditLine(line, line.days_left(on)) for line in crediting.running_lines(invoice)]
    return [credit for credit in given_back if credit.net.minor > 0]


def issue(invoice: Invoice, credit_lines: list[CreditLine]) -> Invoice:
    """The credit note, with its documents promised. Inside the transaction that credits."""
    return issuing.issue_partial_credit_note(invoice, credit_lines, now=current().clock.now())


def credit(invoice: Invoice, on: date) -> Invoice:
    """The whole act."""
    with transaction(lock=invoice.workspace):
        return issue(invoice, days_from(invoice, on))
