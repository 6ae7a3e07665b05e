"""The books: every invariant of trust.md §2.4 as a question whose answer must be 0.

Run after each scenario of the tests, by `portal check`, and daily in production. Whatever follows from
other facts is reckoned anew, by the pure functions that made it, and compared: a hash alone can be made
anew too. Only what is frozen is asked: settings and catalogue rows that may rightly change since are not, a
day more or less is allowed where a time zone decides (it may have moved), and a fact that an older invoice
did not print is not missed. Rows are read by id, a bounded number at a time, once for all questions about
them. Not named: an entry taken from the end of a chain of the audit log, since nothing after it says that
it was there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portal.database.connecting import snapshot

from . import (
    corrections,
    crediting,
    documents,
    gateways,
    history,
    ledger,
    members,
    money,
    open_invoices,
    records,
    terms,
)
from .reading import Reading


@dataclass(frozen=True, slots=True)
class BookResult:
    """An invariant by name and how many rows break it."""

    name: str
    broken: int


BESIDE_GATEWAYS: tuple[Callable[[], int], ...] = (
    gateways.charges_are_in_the_books,
    gateways.succeeded_payments_are_charges,
    gateways.refunds_are_as_the_gateway_has_them,
    gateways.disputes_are_as_the_gateway_has_them,
)
"""What a gateway has changes while it is read, so these are asked of the books as they are by then."""
ALONE: tuple[Callable[[], int], ...] = (
    money.paid_orders_have_one_succeeded_payment,
    money.succeeded_payments_belong_to_paid_orders,
    money.placed_orders_have_a_waiting_payment,
    money.waiting_payments_belong_to_placed_orders,
    money.products_wait_for_one_payment_at_most,
    money.payments_ask_for_what_their_order_costs,
    money.payments_charge_methods_of_their_workspace,
    money.disputed_methods_are_stopped,
    money.open_money_is_asked_about,
    money.paid_orders_have_their_invoice,
    money.invoices_are_of_paid_orders,
    money.refunded_lines_were_paid_back_once,
    money.refunds_have_their_credit_note,
    crediting.credits_never_exceed_their_invoice_lines,
    crediting.partial_credit_notes_have_all_their_lines,
    corrections.replaced_invoices_are_credited_whole_at_once,
    corrections.replaced_invoices_are_covered_by_their_credit_note,
    money.refunds_are_of_succeeded_payments,
    money.nothing_is_charged_beside_an_open_refund,
    documents.numbers_have_no_gap,
    documents.numbers_follow_the_order_of_issue,
    documents.documents_are_unchanged,
    documents.invoices_promised_their_documents,
    money.orders_have_all_their_lines,
    ledger.every_document_and_payment_has_its_entry,
    ledger.entries_repeat_their_cause,
    ledger.allocations_cover_no_more_than_both_sides,
    ledger.paid_invoices_are_allocated_in_full,
    open_invoices.invoiced_orders_are_not_covered,
    open_invoices.subscriptions_owe_what_is_open,
    open_invoices.nothing_is_kept_beside_what_it_could_pay,
    ledger.refunds_are_allocated_in_full,
    ledger.withdrawals_take_back_their_own_credit,
    ledger.balances_follow_from_their_entries,
    ledger.returned_transfers_are_taken_back_in_full,
    terms.workspaces_have_one_subscription_a_product,
    terms.carts_hold_each_product_once_in_one_currency,
    terms.requests_are_approved_by_paid_orders,
    terms.renewals_wait_for_their_due_date,
    terms.cancelled_subscriptions_wait_for_nothing,
    terms.active_users_fit_their_plan,
    members.users_fit_the_plan_being_paid,
    members.licences_are_of_members_and_no_more_than_paid,
    members.keyed_subscriptions_have_their_key,
    members.contacts_are_of_their_own_workspace,
    terms.workspaces_have_an_owner,
    records.promises_are_kept_or_tried_again,
    records.audit_entries_are_chained,
)
TOGETHER: tuple[Reading[Any], ...] = (
    Reading(
        money.quoted_orders,
        (
            money.orders_are_as_they_were_quoted,
            money.quotes_add_up,
            money.orders_say_when_they_were_given,
        ),
    ),
    Reading(money.lines_of_orders, (money.order_lines_repeat_their_quote,)),
    Reading(money.refunds, (money.refunds_are_of_what_their_lines_cost,)),
    Reading(terms.lines_that_were_paid, (terms.paid_orders_gave_what_was_quoted,)),
    Reading(
        documents.issued_documents,
        (
            documents.issued_invoices_are_unchanged,
            documents.invoices_add_up,
            documents.invoices_are_of_their_sale,
            documents.invoices_are_of_their_day,
            documents.taxes_are_as_the_law_says,
            documents.credit_notes_mirror_their_invoice,
        ),
    ),
    Reading(corrections.links, (corrections.replacing_invoices_say_what_they_replace,)),
    Reading(crediting.lines_of_credit_notes, (crediting.partial_credit_notes_are_of_their_lines,)),
)


def questions() -> list[str]:
    """The names of all, in the order of their answers."""
    together = [name for reading in TOGETHER for name in reading.names]
    alone = [question.__name__ for question in (*BESIDE_GATEWAYS, *ALONE)]
    return [*alone, *together, *history.QUESTIONS]


def check() -> list[BookResult]:
    """Every question, of the books as they are at one moment: people may go on paying meanwhile."""
    broken = {question.__name__: question() for question in BESIDE_GATEWAYS}
    with snapshot():
        broken |= {question.__name__: question() for question in ALONE}
        for reading in TOGETHER:
            broken |= reading.answers()
        broken |= history.answers()
    return [BookResult(name=name, broken=broken[name]) for name in questions()]
