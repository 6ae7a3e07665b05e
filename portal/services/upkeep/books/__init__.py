"""The books: every invariant of trust.md §2.4 as a question whose answer must be 0.

Run after each scenario of the tests, by `portal check`, and daily in production.
"""

from collections.abc import Callable
from dataclasses import dataclass

from . import documents, gateways, members, money, records, terms


@dataclass(frozen=True, slots=True)
class BookResult:
    """An invariant by name and how many rows break it."""

    name: str
    broken: int


def check() -> list[BookResult]:
    return [BookResult(name=question.__name__, broken=question()) for question in QUESTIONS]


QUESTIONS: tuple[Callable[[], int], ...] = (
    money.paid_orders_have_one_succeeded_payment,
    money.succeeded_payments_belong_to_paid_orders,
    money.placed_orders_have_a_waiting_payment,
    money.waiting_payments_belong_to_placed_orders,
    money.workspaces_wait_for_one_payment_at_most,
    money.payments_ask_for_what_their_order_costs,
    gateways.charges_are_in_the_books,
    gateways.succeeded_payments_are_charges,
    money.orders_are_as_they_were_quoted,
    money.paid_orders_have_their_invoice,
    money.invoices_are_of_paid_orders,
    money.refunded_orders_were_paid_back_once,
    money.refunded_orders_have_their_credit_note,
    money.refunds_are_of_succeeded_payments,
    gateways.refunds_are_as_the_gateway_has_them,
    money.nothing_is_charged_beside_an_open_refund,
    documents.numbers_have_no_gap,
    documents.numbers_follow_the_order_of_issue,
    documents.issued_invoices_are_unchanged,
    documents.documents_are_unchanged,
    terms.paid_orders_gave_what_was_quoted,
    terms.periods_never_overlap,
    terms.subscriptions_are_as_their_last_period,
    terms.active_users_fit_their_plan,
    members.users_fit_the_plan_being_paid,
    documents.invoices_promised_their_documents,
    records.promises_are_kept_or_tried_again,
    records.audit_entries_are_chained,
)
