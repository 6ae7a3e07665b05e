"""The plans page, written out: what services/subscriptions/plan_table.py has decided, in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from portal.domain.plans import ActionLabel, ActionNote, PlanAction, Usage
from portal.domain.vocabulary import Interval, Right, SubscriptionState
from portal.models import Plan
from portal.routes.invoices.rows import PaymentRows
from portal.services.payments.coming_charge import ComingCharge
from portal.services.places import Place
from portal.services.subscriptions import agreement
from portal.services.subscriptions.plan_table import PlansDecided
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.methods import method_words
from portal.words.plans import cancelled_change, change_later, order_later, priced_name
from portal.words.renewal import renewal_sentence

from .refusals import Refusal, refusals_of
from .table import Cell, PlanRow, PrintedTable, find_cell, print_table


@dataclass(frozen=True, slots=True)
class Meter:
    """How much of a limit is used. `limit` None: there is none, and no bar."""

    testid: str
    label: str
    used: int
    limit: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The plan that begins on the due date, and what stands in its way, as sentences."""

    title: str
    text: str
    obstacles: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class ActionBar:
    """The selected plan and the one button. `opens`: the dialog that the button opens, empty for none.

    `contact`: no plan is large enough, and the button leads to the vendor.
    """

    title: str
    text: str
    label: str
    note: str = ""
    enabled: bool = True
    urgent: bool = False
    opens: str = ""
    contact: bool = False
    renewal_can_end: bool = False


@dataclass(frozen=True, slots=True)
class PlansPage:
    """The plans page, ready to print.

    `renewal_link`: the label of the way to automatic renewal, empty for who may not switch it. `free_code`:
    the plan that the reader may continue with for nothing. `bar` is None for who may not buy. `history` is
    None for who may not see it, and where only a part of the page is asked for.
    """

    sentences: list[str]
    is_late: bool
    lock_sentence: str
    renewal_link: str
    scheduled: Scheduled | None
    may_withdraw: bool
    meters: tuple[Meter, ...]
    currencies: list[tuple[str, str]]
    table: PrintedTable
    free_code: str
    may_buy: bool
    bar: ActionBar | None
    asks_before: bool
    problem: str
    refusals: tuple[Refusal, ...]
    refusal_open: bool
    history: PaymentRows | None
    sees_payers: bool
    may_download: bool
    may_leave: bool


def plans_view(
    place: Place,
    decided: PlansDecided,
    *,
    charge: ComingCharge | None,
    buyers: Sequence[str],
    history: PaymentRows | None,
    problem: str,
    refusals: tuple[Refusal, ...] | None,
) -> PlansPage:
    """`buyers`: the names of those who may buy, for a reader who may not.

    `refusals`: why the plan that was sent cannot be had; None where none was.
    """
    status, table = decided.status, decided.table
    printed = print_table(table)
    may_buy = place.buys
    return PlansPage(
        sentences=current_plan_sentences(
            decided,
            charge=charge,
            names_method=Right.USE_SAVED_METHODS in place.may,
            may_buy=may_buy,
            buyers=buyers,
        ),
        is_late=status.state in (SubscriptionState.LATE, SubscriptionState.BLOCKED),
        lock_sentence=_lock_sentence(decided),
        renewal_link=_renewal_link(decided),
        scheduled=_scheduled(decided),
        may_withdraw=decided.may_withdraw,
        meters=_meters(status.plan, decided.usage),
        currencies=[(code, formatting.currency_label(code)) for code in table.currencies],
        table=printed,
        free_code=decided.free_plan.code if decided.free_plan and may_buy else "",
        may_buy=may_buy,
        bar=_bar(decided, printed) if may_buy else None,
        asks_before=table.asks_before and may_buy,
        problem=problem,
        refusals=refusals_of(table.exceeded) if refusals is None else refusals,
        refusal_open=refusals is not None,
        history=history,
        sees_payers=Right.SEE_BILLING_DETAILS in place.may,
        may_download=Right.DOWNLOAD_DOCUMENTS in place.may,
        may_leave=status.is_blocked and Right.DELETE_WORKSPACE in place.may,
    )


def _meters(plan: Plan, usage: Usage) -> tuple[Meter, ...]:
    most_users = None if plan.nonprofit else plan.max_users
    users = str(usage.active_users)
    if most_users:
        users = _("%(used)s of %(limit)s", used=usage.active_users, limit=most_users)
    storage = formatting.storage(usage.storage_bytes)
    if plan.storage_bytes is not None:
        storage = _("%(used)s of %(limit)s", used=storage, limit=formatting.storage(plan.storage_bytes))
    return (
        Meter("usage-users", _("Active users you have added"), usage.active_users, most_users, users),
        Meter("usage-storage", _("Storage used"), usage.storage_bytes, plan.storage_bytes, storage),
    )


def _scheduled(decided: PlansDecided) -> Scheduled | None:
    status, waiting = decided.status, decided.waiting
    if waiting is None:
        return None
    obstacles = refusals_of(decided.obstacles)
    later = ""
    if decided.money_is_open and decided.may_change_what_waits:
        later = change_later(refund=status.subscription.waits_for_refund)
    day = formatting.day(status.due_on) if status.due_on else ""
    if decided.did_not_begin:
        name = priced_name(waiting.plan.names, waiting.interval)
        title = _("%(plan)s did not begin on %(date)s.", plan=name, date=day)
        if obstacles:
            return Scheduled(title, _said(_("Your usage is over its limits."), later), obstacles)
        if decided.money_is_open:
            return Scheduled(title, later, ())
        return Scheduled(title, _("It has not been paid for. Choose it in the table to start it now."), ())
    title = _("From %(date)s: %(plan)s", date=day, plan=priced_name(waiting.plan.names, waiting.interval))
    if waiting.interval is None:
        text = _("There will be nothing to pay. Nothing changes before then.")
    elif status.subscription.auto_renewal:
        text = _("It will be paid for by automatic renewal. Nothing changes before then.")
    else:
        text = _("Automatic renewal is off, so you will pay for it yourself. Nothing changes before then.")
    return Scheduled(title, _said(text, later), obstacles)


def _said(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _renewal_link(decided: PlansDecided) -> str:
    if not decided.may_renew:
        return ""
    if decided.status.subscription.auto_renewal:
        return _("Switch automatic renewal off")
    return _("Switch automatic renewal on")


def _lock_sentence(decided: PlansDecided) -> str:
    """Which price automatic renewal charges, and until when; empty where nothing is guaranteed.

    The guarantee is that of the present plan: it ends with the change that waits.
    """
    lock = decided.lock
    if lock is None or decided.waiting is not None:
        return ""
    words = {"price": formatting.money(lock.amount), "date": formatting.day(lock.until)}
    if decided.status.interval == Interval.YEAR:
        return _("Your price, %(price)s a year excl. VAT, is guaranteed until %(date)s.", **words)
    return _("Your price, %(price)s a month excl. VAT, is guaranteed until %(date)s.", **words)


def renewal_of(charge: ComingCharge | None, *, names_method: bool) -> str:
    """The sentence of the next automatic charge; without one that renewal is on, since it has failed.

    `names_method`: for whoever may use saved methods; to others none of their digits is told.
    """
    if charge is None:
        return _("Automatic renewal is on.")
    return renewal_sentence(
        on=charge.on,
        total=charge.total,
        has_vat=charge.has_vat,
        plan_names=charge.plan_names,
        interval=charge.interval,
        method=method_words(charge.method.kind, charge.method.brand, charge.method.last4)
        if charge.method and names_method
        else "",
    )


def current_plan_sentences(
    decided: PlansDecided,
    *,
    charge: ComingCharge | None,
    names_method: bool,
    may_buy: bool,
    buyers: Sequence[str],
) -> list[str]:
    """What is used now and until when, by state (source-systems.md §1.2), and what can be done about it now.

    `buyers`: the names of those who may, for somebody who may not.
    """
    status = decided.status
    name = translated(status.plan.names)
    until = formatting.day(status.due_on) if status.due_on else ""
    others = _("These people can choose a plan: %(names)s.", names=", ".join(buyers)) if buyers else ""
    choose = _("Choose the plan that suits you best. The recommended one is marked below.")
    if not may_buy:
        choose = others
    elif decided.money_is_open:
        choose = _order_later(decided)
    if status.plan.nonprofit:
        return [_("You are using the plan for non-profit organisations.")]
    match status.state:
        case SubscriptionState.TRIAL:
            sentences = [_("You are using the free trial plan. It ends on %(date)s.", date=until), choose]
        case SubscriptionState.FREE:
            sentences = [_("You are using the free plan."), choose]
        case SubscriptionState.PAID if status.subscription.auto_renewal:
            sentences = [
                _("You are using the %(plan)s plan.", plan=name),
                renewal_of(charge, names_method=names_method),
                _("None of your payment methods can be charged then: add one before that day.")
                if charge is not None and charge.lacks_method and names_method
                else "",
            ]
        case SubscriptionState.PAID:
            sentences = [
                _("You are using the %(plan)s plan. It ends on %(date)s.", plan=name, date=until),
                _what_can_be_done(decided, until) if may_buy else others,
            ]
        case _ if agreement.began_without_trial(status.subscription):
            # The banner above says why.
            sentences = [choose]
        case _ if status.plan.trial:
            sentences = [_("Thank you for trying us! The free trial is over."), choose]
        case _:
            sentences = [
                _("You are using the %(plan)s plan.", plan=name),
                _("Access is blocked until a plan is paid for.")
                if status.is_blocked
                else _("The payment is late."),
                _("To continue, prolong the current plan or choose another one in the table below.")
                if may_buy and not decided.money_is_open
                else choose,
            ]
    return [sentence for sentence in sentences if sentence]


def _order_later(decided: PlansDecided) -> str:
    return order_later(refund=decided.status.subscription.waits_for_refund)


def _what_can_be_done(decided: PlansDecided, until: str) -> str:
    """Of a plan that is paid by hand: never that it can be prolonged beside a button that says no."""
    if decided.money_is_open:
        return _order_later(decided)
    current = decided.table.current
    if current.interval not in _intervals_sold(decided):
        return _("It is no longer sold: choose another plan in the table below before %(date)s.", date=until)
    if decided.prolongable_from is None:
        return _("You can prolong it or change it with the table below.")
    return _(
        "You can change it with the table below, and prolong it from %(date)s.",
        date=formatting.day(decided.prolongable_from),
    )


def _intervals_sold(decided: PlansDecided) -> set[Interval | None]:
    """How the plan that is had can be bought today."""
    code = decided.table.current.plan.code
    return {cell.interval for cell in decided.table.listed.cells if cell.plan.code == code}


# --- the button -----------------------------------------------------------------------------------


def _bar(decided: PlansDecided, printed: PrintedTable) -> ActionBar | None:
    table, action = decided.table, decided.table.action
    if table.selected is None:
        if decided.status.plan.nonprofit:
            return None
        return ActionBar(
            title=_("No plan in the table is large enough for you."),
            text=_("Tell us what you need and we will find a plan with you."),
            label=label_of(action),
            contact=True,
        )
    row, cell = find_cell(printed.rows, printed.selected)
    return ActionBar(
        title=row.name,
        text=_summary(row, cell),
        label=label_of(action),
        note=_note(decided),
        enabled=action.enabled,
        urgent=action.urgent,
        opens="plan-refusal" if action.refused else ("buy" if table.asks_before else ""),
        renewal_can_end=decided.may_renew and action.note == ActionNote.AUTO_RENEWAL_CAN_BE_SWITCHED_OFF,
    )


def _summary(row: PlanRow, cell: Cell) -> str:
    words = {"users": row.users, "size": row.size, "amount": cell.amount}
    if cell.interval == Interval.MONTH:
        return _("%(users)s, %(size)s, %(amount)s a month excl. VAT", **words)
    return _("%(users)s, %(size)s, %(amount)s a year excl. VAT", **words)


def label_of(action: PlanAction) -> str:
    return {
        ActionLabel.BUY_NOW: _("Buy now"),
        ActionLabel.PROLONG: _("Prolong"),
        ActionLabel.CHANGE: _("Change"),
        ActionLabel.AUTO_RENEWAL_ON: _("Automatic renewal is on"),
        ActionLabel.CONTACT_US: _("Contact us"),
    }[action.label]


def _note(decided: PlansDecided) -> str:
    """What the button does not say, with the scheduled plan that it would end."""
    sentences = [note_of(decided.table.action, decided)]
    if decided.waiting is not None and decided.ends_what_waits:
        on = None if decided.did_not_begin else decided.status.due_on
        sentences.append(cancelled_change(decided.waiting.plan.names, on=on))
    return _said(*sentences)


def note_of(action: PlanAction, decided: PlansDecided) -> str:
    status, prolongable_from = decided.status, decided.prolongable_from
    if status.plan.nonprofit:
        return _("Your plan for non-profit organisations ends when you buy this one.")
    if action.note is None:
        return _prolonging_pays_what_is_due(decided) if action.label == ActionLabel.PROLONG else ""
    due_on = formatting.day(status.due_on) if status.due_on else ""
    return {
        ActionNote.AUTO_RENEWAL_CAN_BE_SWITCHED_OFF: _next_automatic_payment(decided),
        ActionNote.AUTO_RENEWAL_IS_OFF: _(
            "To prolong automatically, switch automatic renewal on when you pay."
        ),
        ActionNote.TOO_EARLY_TO_PROLONG: _(
            "You can prolong from %(date)s.",
            date=formatting.day(prolongable_from) if prolongable_from else due_on,
        ),
        ActionNote.BEGINS_ON_DUE_DATE: _(
            "A smaller plan begins on the due date, %(date)s. There is nothing to pay now.", date=due_on
        ),
        ActionNote.FREE_PLAN_HAS_NO_END: _("The free plan has no end date: there is nothing to prolong."),
        ActionNote.PAYMENT_IS_OPEN: _order_later(decided),
    }[action.note]


def _prolonging_pays_what_is_due(decided: PlansDecided) -> str:
    """That the button and the one of the banner above are two ways to one act.

    They are not while another plan waits: what is due is then its first period.
    """
    status = decided.status
    if status.state not in (SubscriptionState.LATE, SubscriptionState.BLOCKED) or decided.waiting is not None:
        return ""
    if status.due_on is None:
        return ""
    return _("This pays what was due on %(date)s.", date=formatting.day(status.due_on))


def _next_automatic_payment(decided: PlansDecided) -> str:
    """When it is made, and what for where that is not the plan that is had."""
    status, waiting = decided.status, decided.waiting
    due_on = status.due_on
    if due_on is None or due_on < status.today:
        # It is being made, or waits for our own run.
        return _("The next payment is made automatically.")
    if waiting is None:
        return _("The next payment is made automatically on the due date.")
    words = {"plan": priced_name(waiting.plan.names, waiting.interval), "date": formatting.day(due_on)}
    if waiting.interval is None:
        return _("There is no next payment: from %(date)s you will be using the %(plan)s plan.", **words)
    return _("The next payment, on %(date)s, is for %(plan)s.", **words)
