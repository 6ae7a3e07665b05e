"""What the checkout says about an order: its summary, its recap, its figures, its outcome. Ready to print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import ngettext

from portal.domain.dunning import was_not_confirmed
from portal.domain.frozen_quote import FrozenCredit, FrozenLine, frozen_balance, frozen_lines
from portal.domain.money import Money, total
from portal.domain.tax_numbers import tax_number_label
from portal.domain.vocabulary import OrderKind, OrderState, PaymentMethodKind, PaymentState, Right
from portal.forms.cards import PlaceOrderForm
from portal.forms.requests import AskForm
from portal.models import Invoice, Order, Payment, PaymentMethod
from portal.runtime import current
from portal.services.members.roster import people_with
from portal.services.payments import charging
from portal.services.places import Place
from portal.services.subscriptions.scheduled_change import Waiting
from portal.web.mandate import Mandate
from portal.web.to_pay import ToPay
from portal.words import formatting
from portal.words.arithmetic import credit_words, quoted_line_words
from portal.words.debits import debit_words
from portal.words.declines import decline_sentence
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.methods import method_words
from portal.words.money import tax_reason, tax_words
from portal.words.plans import cancelled_change, change_rows, priced_name
from portal.words.renewal import amount_charged, renewal_sentence

NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """A line of the order in the margin, ready to print. `rate` says how many licences at how much each.

    `share` says of how many days it is, where it is not of a whole period. `why`: how its amount is reckoned.

    `figures` are those of a change, each with its mark; `warning` says that it pays for little.
    """

    title: str
    period: str
    rate: str
    share: str
    figures: list[tuple[str, str, str]]
    warning: str
    net: str
    is_licensed: bool
    why: list[str]


@dataclass(frozen=True, slots=True)
class BalanceRows:
    """What pays beside a method, ready to print: label, small print, amount, mark and arithmetic of each.

    `kept_on`: what stays in the balance, in a sentence; empty for nothing.
    """

    rows: list[tuple[str, str, str, str, list[str]]]
    due: str
    is_nothing_due: bool
    kept_on: str


def balance_rows(quote: Mapping[str, Any]) -> BalanceRows | None:
    """None where a gateway is asked for the whole total."""
    balance = frozen_balance(quote)
    if balance is None:
        return None
    rows = [
        (
            _("Credit for what is not used"),
            _credit_words(credit),
            formatting.money(-credit.gross),
            "credit",
            credit_words(credit),
        )
        for credit in balance.credits
    ]
    if balance.kept_before.minor:
        amount = formatting.money(-balance.kept_before)
        rows.append((_("From your balance"), "", amount, "from-balance", []))
    kept_on = ""
    if balance.kept_on.minor:
        kept_on = _(
            "%(amount)s stays in your balance, and pays for what you order next.",
            amount=formatting.money(balance.kept_on),
        )
    return BalanceRows(
        rows=rows,
        due=formatting.money(balance.due),
        is_nothing_due=balance.due.minor == 0,
        kept_on=kept_on,
    )


def _credit_words(credit: FrozenCredit) -> str:
    """`16 of 31 days, invoice INV-2026-000012`, which whoever may buy finds in the history."""
    return ngettext(
        "%(num)d of %(days)s days, invoice %(number)s",
        "%(num)d of %(days)s days, invoice %(number)s",
        credit.unused_days,
        days=formatting.number(credit.days),
        number=credit.invoice,
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """The order in the margin. Texts are ready to print; tax and total are empty before they are known."""

    lines: list[SummaryLine]
    net: str
    tax_label: str
    tax_reason: str
    tax: str
    total: str
    balance: BalanceRows | None = None

    @property
    def is_for_the_plan(self) -> bool:
        return any(not line.is_licensed for line in self.lines)


def _summary_line(line: FrozenLine, *, unit: Money, pays: Money) -> SummaryLine:
    """`unit` is the price to be shown, maybe in another currency; `pays` is what is paid for the line."""
    return SummaryLine(
        title=priced_name(line.plan_names, line.interval),
        period=_period(line),
        rate=_rate(line, unit) if line.is_licensed else "",
        share=_share_words(line),
        figures=_change_rows(line),
        warning=little_gain_of(line, pays=pays),
        net=formatting.money(line.net if line.share else unit * line.billed_quantity),
        is_licensed=line.is_licensed,
        why=quoted_line_words(line) if unit == line.unit else [],
    )


def _share_words(line: FrozenLine) -> str:
    """`20 of 30 days of €55.00`."""
    if line.share is None:
        return ""
    return ngettext(
        "%(num)d of %(base_days)s days of %(price)s",
        "%(num)d of %(base_days)s days of %(price)s",
        line.share.days,
        base_days=formatting.number(line.share.base_days),
        price=formatting.money(line.share.price),
    )


def _rate(line: FrozenLine, unit: Money) -> str:
    """`3 licences at €11.00`: how many, and what one costs each month or year."""
    each = formatting.money(unit)
    if line.billed_quantity != line.quantity:
        return ngettext("%(num)d licence", "%(num)d licences", line.quantity)
    return ngettext(
        "%(num)d licence at %(each)s", "%(num)d licences at %(each)s each", line.quantity, each=each
    )


def summary_of(quote: Mapping[str, Any]) -> Summary:
    """`quote`: the facts of one whose buyer is known."""
    tax, currency, lines = quote["tax"], quote["currency"], frozen_lines(quote)
    net, tax_amount, total_amount = (
        formatting.money(Money(quote[name], currency)) for name in ("net_minor", "tax_minor", "total_minor")
    )
    return Summary(
        lines=[_summary_line(line, unit=line.unit, pays=line.net + line.tax) for line in lines],
        net=net,
        tax_label=tax_words(tax),
        tax_reason=tax_reason(tax),
        tax=tax_amount,
        total=total_amount,
        balance=balance_rows(quote),
    )


def summary_before_tax(order: Order, units: Sequence[Money]) -> Summary:
    """`units` are the prices of the lines in the currency in which they are shown."""
    pairs = list(zip(order.frozen_lines, units, strict=True))
    net = total((unit * line.billed_quantity for line, unit in pairs), units[0].currency)
    return Summary(
        lines=[_summary_line(line, unit=unit, pays=line.net) for line, unit in pairs],
        net=formatting.money(net),
        tax_label="",
        tax_reason=_("VAT, if any, is shown on the next page, with the total."),
        tax="",
        total="",
    )


def _period(line: FrozenLine) -> str:
    return _(
        "From %(start)s to %(end)s", start=formatting.day(line.start_on), end=formatting.day(line.due_on)
    )


def recap_of(order: Order) -> list[tuple[str, str]]:
    """What was typed on page 1, to be checked by the buyer."""
    details = order.details
    rows = [(_("Name"), f"{details['first_name']} {details['last_name']}")]
    if details["is_business"]:
        rows.insert(0, (_("Company"), details["company_name"]))
    rows += [(_("Address"), ", ".join(details["address_lines"])), (_("E-mail"), details["email"])]
    if details["vat_number"]:
        rows.append((_("VAT number"), details["vat_number"]))
    if details.get("tax_number"):
        rows.append((tax_number_label(details["country"]) or _("Tax number"), details["tax_number"]))
    return [*rows, (_("Payment method"), method_words(order.method_kind, "", ""))]


def _change_rows(line: FrozenLine) -> list[tuple[str, str, str]]:
    return change_rows(line.extension, due_on=line.due_on.isoformat(), currency=line.net.currency)


def little_gain_of(line: FrozenLine, *, pays: Money) -> str:
    """Said before the payment when it moves the due date by a few days only, or back; else empty."""
    figures = line.extension
    if figures is None or not figures.get("gains_little"):
        return ""
    old, new = date.fromisoformat(figures["old_due_on"]), line.due_on
    amount = formatting.money(pays)
    days = (new - old).days
    if days <= 0:
        return _(
            "You pay %(amount)s and gain no time: the due date is %(new)s instead of %(old)s, "
            "because a day of the new plan costs more. If you change on the old due date instead, "
            "you lose nothing.",
            amount=amount,
            new=formatting.day(new),
            old=formatting.day(old),
        )
    return ngettext(
        "You pay %(amount)s and gain only %(num)d day: the due date moves from %(old)s to "
        "%(new)s, because a day of the new plan costs more. It is better to change closer to the "
        "due date.",
        "You pay %(amount)s and gain only %(num)d days: the due date moves from %(old)s to "
        "%(new)s, because a day of the new plan costs more. It is better to change closer to the "
        "due date.",
        days,
        amount=amount,
        old=formatting.day(old),
        new=formatting.day(new),
    )


def renewal_hint_of(order: Order, waiting: Waiting | None) -> str:
    """What ticking automatic renewal brings; each of several lines stands on a line of its own."""
    between = "\n" if len(order.frozen_lines) > 1 else " "
    sentences = [renewal_after(line, waiting, method=None) for line in order.frozen_lines]
    ends = waiting is not None and waiting.interval is None
    if ends and all(_prolongs_the_plan(line) for line in order.frozen_lines):
        return between.join(sentences)
    return between.join((*sentences, _("You can switch it off at any time.")))


def _prolongs_the_plan(line: FrozenLine) -> bool:
    return line.kind == OrderKind.PROLONG and not line.is_licensed


def renewal_after(line: FrozenLine, waiting: Waiting | None, *, method: PaymentMethod | None) -> str:
    """The charge after the one of the line, at its price.

    Where it prolongs the present plan, of the one that is still to begin: without its amount.
    """
    if waiting is not None and _prolongs_the_plan(line):
        words = {
            "date": formatting.day(line.due_on),
            "plan": priced_name(waiting.plan.names, waiting.interval),
        }
        if waiting.interval is None:
            return _("There is no next payment: from %(date)s you will be using the %(plan)s plan.", **words)
        return _("Automatic renewal: on %(date)s, for %(plan)s. We will write to you first.", **words)
    return renewal_sentence(
        on=line.due_on,
        total=line.price_with_tax,
        has_vat=line.tax.minor > 0,
        plan_names=line.plan_names,
        interval=line.interval,
        licences=line.licences,
        method=method_words(method.kind, method.brand, method.last4) if method else "",
    )


def cancelled_by(order: Order, waiting: Waiting | None, *, due_on: date | None, today: date) -> str:
    """That the order ends what was scheduled for `due_on`; empty where it does not, or is that very plan."""
    line = order.plan_line
    if waiting is None or line is None or line.kind == OrderKind.PROLONG:
        return ""
    if (line.plan_code, line.interval) == (waiting.plan.code, waiting.interval):
        return ""
    is_ahead = due_on is not None and due_on >= today
    return cancelled_change(waiting.plan.names, on=due_on if is_ahead else None)


def method_name_of(order: Order) -> str:
    return dict(methods_on_offer(with_transfers=True)).get(order.method_kind, order.method_kind)


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """The order to be confirmed. `edit`: label and address of where it is changed.

    `mandate` is that of an account which is typed here, and `when_paid` says when a debit is paid.
    `changed`: it is no longer what was shown; `method` names what is hosted.

    `total` is what is charged now, empty where the balance pays. `transfer`: how it is paid by bank transfer,
    empty for whatever is charged.

    `renewal_stays_on`: the sentence of the charge after this one, empty where none comes by itself yet;
    `ends_renewal_at`: the address of where it is switched off, for whoever may.
    `cancels`: which scheduled plan the order ends. `allowance`: how far the reader buys without asking, empty
    for anybody else. `asking`: the form that asks for it in place of paying, and `deciders` who decides then.
    """

    form: PlaceOrderForm
    number: str
    summary: Summary
    edit: tuple[str, str]
    recap: list[tuple[str, str]]
    renewal_hint: str
    is_card: bool
    mandate: Mandate | None
    when_paid: str
    method: str
    total: str
    changed: bool
    problem: str
    replaces_trial: bool
    cancels: str
    renewal_stays_on: str
    ends_renewal_at: str
    transfer: tuple[str, ...]
    processor: str
    sandbox_cards: str
    allowance: str
    asking: AskForm | None
    deciders: str


@dataclass(frozen=True, slots=True)
class ResultPage:
    """What is known of a payment. `confirm`: (label, address) of where the payer confirms it, if they must.

    `document`: the number of the invoice that the reader may download, empty for none. `new_guests`: who lost
    their place, in a sentence. `is_for_the_plan`: the workspace plan is one of its lines. `assigning`: where
    licences were bought that members hold, who assigns them. `keys`: name and address of each licence key
    that came with the order; without an address, for a reader who may not see it, `managers` do. `to_pay`:
    what is open of its invoice. `waits`: the result may come while somebody looks on; a debit that
    `is_on_its_way` takes days.
    """

    number: str
    heading: str
    lead: str
    facts: list[tuple[str, str]]
    waits: bool
    is_on_its_way: bool
    is_paid: bool
    confirm: tuple[str, str] | None
    document: str
    renewal: str
    new_guests: str
    takes_a_card_at_once: bool
    is_for_the_plan: bool
    assigning: str = ""
    keys: tuple[tuple[str, str], ...] = ()
    managers: str = ""
    to_pay: ToPay | None = None


def assigning_words(managers: str) -> str:
    """What is to be done with licences; `managers` are the names of those who do it, empty for the reader."""
    if not managers:
        return _("A member may use the product once they have a licence.")
    return _(
        "A member may use the product once they have a licence. These people assign licences: %(names)s.",
        names=managers,
    )


def managers_of(place: Place) -> str:
    """Names of who assigns licences and sees their keys, for a sentence; empty where the reader does."""
    if Right.MANAGE_MEMBERS in place.may:
        return ""
    people = people_with(place.workspace, Right.MANAGE_MEMBERS)[:NAMES_SHOWN]
    return ", ".join(person.name for person in people)


def result_of(
    order: Order,
    payment: Payment,
    *,
    invoice: Invoice | None,
    may_download: bool,
    renewal: str,
    new_guests: str,
    takes_a_card_at_once: bool,
    is_present: bool,
) -> ResultPage:
    """`takes_a_card_at_once`: it is the automatic charge that waits, and a card that is added pays it.

    `renewal`: the sentence of the next automatic charge, empty where none comes or it is no news.
    `is_present`: what the order paid for is what the workspace uses today.
    """
    heading, lead = outcome_of(order, payment, is_present=is_present)
    is_paid = payment.state == PaymentState.SUCCEEDED
    must_confirm = payment.state == PaymentState.ACTION_REQUIRED
    facts = [
        (_("Order"), order.number),
        *((_("Product") if line.is_licensed else _("Plan"), name_of(line)) for line in order.frozen_lines),
        *_amounts(order, payment),
        (_("Method"), method_words(payment.method_kind, payment.brand, payment.last4)),
    ]
    if invoice is not None:
        number = invoice.number
        if not order.is_renewal:
            # That of a renewal goes to everybody of billing.
            number = _("%(number)s, sent to %(email)s", number=number, email=order.details["email"])
        facts.append((_("Invoice"), number))
    return ResultPage(
        number=order.number,
        heading=heading,
        lead=lead,
        facts=facts,
        waits=payment.state in (PaymentState.CREATED, PaymentState.UNKNOWN),
        is_on_its_way=payment.state == PaymentState.PENDING,
        is_paid=is_paid,
        confirm=(confirm_label_of(payment), payment.action_url) if must_confirm else None,
        document=invoice.number if invoice is not None and may_download else "",
        renewal=renewal,
        new_guests=new_guests,
        takes_a_card_at_once=takes_a_card_at_once,
        is_for_the_plan=any(not line.is_licensed for line in order.frozen_lines),
    )


def result_on_account(
    order: Order, invoice: Invoice, *, to_pay: ToPay | None, may_download: bool, new_guests: str
) -> ResultPage:
    """`to_pay` is what is open of the order's invoice, None where nothing is."""
    total = amount_charged(Money(order.total_minor, order.currency), has_vat=order.tax_minor > 0)
    number = invoice.number
    if not order.is_renewal:
        number = _("%(number)s, sent to %(email)s", number=number, email=order.details["email"])
    is_given = order.given_at is not None
    if order.state == OrderState.WITHDRAWN:
        heading, lead = _("This invoice was cancelled"), _("There is nothing to pay.")
    elif to_pay is None:
        heading = _("Payment complete")
        lead = " ".join(_is_yours(line) for line in order.frozen_lines)
    elif is_given:
        heading = _("Your order is placed")
        lead = " ".join((to_pay.lead, *(_is_yours(line) for line in order.frozen_lines)))
    else:
        heading, lead = _("The next period is to be paid"), to_pay.lead
    return ResultPage(
        number=order.number,
        heading=heading,
        lead=lead,
        facts=[
            (_("Order"), order.number),
            *(
                (_("Product") if line.is_licensed else _("Plan"), name_of(line))
                for line in order.frozen_lines
            ),
            (_("Total"), total),
            (_("Invoice"), number),
        ],
        waits=False,
        is_on_its_way=False,
        is_paid=True,
        confirm=None,
        document=invoice.number if may_download else "",
        renewal="",
        new_guests=new_guests,
        takes_a_card_at_once=False,
        is_for_the_plan=any(not line.is_licensed for line in order.frozen_lines),
        to_pay=to_pay,
    )


def _amounts(order: Order, payment: Payment) -> list[tuple[str, str]]:
    """What the order costs, and how much of it is charged where the balance pays a part."""
    has_vat = order.tax_minor > 0
    if payment.amount_minor == order.total_minor:
        return [(_("Amount"), amount_charged(payment.amount, has_vat=has_vat))]
    total_amount = Money(order.total_minor, order.currency)
    return [
        (_("Total"), amount_charged(total_amount, has_vat=has_vat)),
        (_("From your balance"), formatting.money(total_amount - payment.amount)),
        (_("Amount"), formatting.money(payment.amount)),
    ]


def outcome_of(order: Order, payment: Payment, *, is_present: bool) -> tuple[str, str]:
    """Heading and lead of the result page: what is known, and nothing more."""
    if order.state == OrderState.REFUNDED:
        return _("This payment was refunded"), _(
            "This payment was refunded to the payment method that was used."
        )
    if payment.state == PaymentState.SUCCEEDED and not is_present:
        return _paid_once(order, payment)
    if payment.state == PaymentState.SUCCEEDED:
        return _("Payment complete"), " ".join(
            (_("You can carry on working."), *(_is_yours(line) for line in order.frozen_lines))
        )
    if payment.state == PaymentState.ACTION_REQUIRED:
        return _confirm_words(payment)[0], _("Nothing is charged until you do.")
    was_renewal = payment.state == PaymentState.DECLINED and payment.tried_on is not None
    if was_renewal and was_not_confirmed(payment.decline_code):
        return _("Nothing was charged"), _("The renewal was not confirmed with your bank in time.")
    if payment.state == PaymentState.DECLINED:
        return _("Nothing was charged"), decline_sentence(payment.decline_code, payment.method_kind)
    if payment.state == PaymentState.PENDING:
        lead = (
            debit_words(order.frozen_lines, days=charging.debit_days()),
            _("You do not need to do anything: we will write to you."),
        )
        return _("Your bank debit is on its way"), " ".join(lead)
    return _("Your payment is being confirmed"), _(
        "The bank has not answered yet. You do not need to do anything and you will not be "
        "charged twice. This page will show the result, and we will write to you."
    )


def _paid_once(order: Order, payment: Payment) -> tuple[str, str]:
    """Of an old order, whose plan or period is no longer the workspace's own."""
    paid_on = order.workspace.day(order.given_at or payment.created_at)
    return _("This order was paid on %(date)s", date=formatting.day(paid_on)), " ".join(
        _(
            "It was for %(plan)s, from %(start)s to %(end)s.",
            plan=name_of(line),
            start=formatting.day(line.start_on),
            end=formatting.day(line.due_on),
        )
        for line in order.frozen_lines
    )


def _is_yours(line: FrozenLine) -> str:
    words = {"plan": translated(line.plan_names), "date": formatting.day(line.due_on)}
    if line.is_licensed:
        return ngettext(
            "%(num)d licence for %(plan)s is yours until %(date)s.",
            "%(num)d licences for %(plan)s are yours until %(date)s.",
            line.quantity,
            **words,
        )
    return _("The %(plan)s plan is yours until %(date)s.", **words)


def name_of(line: FrozenLine) -> str:
    """`Business 5, monthly`; `Meetings Essential, monthly × 3`."""
    name = priced_name(line.plan_names, line.interval)
    return f"{name} × {line.quantity}" if line.is_licensed else name


def confirm_label_of(payment: Payment) -> str:
    """The button that leads to where the payer confirms."""
    return _confirm_words(payment)[1]


def _confirm_words(payment: Payment) -> tuple[str, str]:
    """Heading and button: a card is confirmed with the bank, a hosted method on its own page."""
    if payment.method_kind in (PaymentMethodKind.CARD, PaymentMethodKind.SEPA_DEBIT):
        return _("Your bank asks you to confirm"), _("Confirm with your bank")
    method = method_words(payment.method_kind, payment.brand, payment.last4)
    return (
        _("%(method)s is waiting for you to confirm", method=method),
        _("Confirm on the %(method)s page", method=method),
    )


def methods_on_offer(*, with_debits: bool = True, with_transfers: bool = False) -> list[tuple[str, str]]:
    """Every kind that a configured gateway takes at the checkout, in its own words."""
    kinds: set[PaymentMethodKind] = {
        kind for gateway in current().gateways.values() for kind in gateway.capabilities().kinds
    }
    offered = {
        PaymentMethodKind.CARD: _("Card: Visa, Mastercard, American Express, JCB, Discover"),
        PaymentMethodKind.PAYPAL: "PayPal",
        PaymentMethodKind.SEPA_DEBIT: _("SEPA direct debit: your bank account is debited, in euros"),
        PaymentMethodKind.BANK_TRANSFER: _("Bank transfer: pay the invoice within 30 days"),
    }
    if with_transfers:
        kinds.add(PaymentMethodKind.BANK_TRANSFER)
    if not with_debits:
        kinds.discard(PaymentMethodKind.SEPA_DEBIT)
    return [(kind.value, label) for kind, label in offered.items() if kind in kinds]
