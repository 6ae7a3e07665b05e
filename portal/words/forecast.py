"""The forecast in words, the same on the overview and in a calendar."""

from collections.abc import Mapping
from dataclasses import dataclass

from portal.domain.forecast import Charge, ChargedTerms, Milestone, MilestoneKind, UnpaidInvoice

from . import formatting
from .i18n import gettext as _
from .i18n import translated
from .licences import amount_words
from .plans import priced_name


@dataclass(frozen=True, slots=True)
class Said:
    """`what` it is, in a few words, and what is to be said beside it, empty for nothing."""

    what: str
    note: str = ""


def charge_words(charge: Charge) -> Said:
    notes = []
    if charge.is_retry:
        notes.append(_("Another try after a failed payment."))
    if charge.dearer_than is not None:
        notes.append(
            _(
                "The price goes up from %(old)s to %(new)s excl. VAT. We will write to you at least 30 days "
                "before.",
                old=formatting.money(charge.dearer_than),
                new=formatting.money(charge.net),
            )
        )
    return Said(_terms_words(charge.terms), " ".join(notes))


def pays_words(charge: Charge, *, methods: Mapping[int, str]) -> str:
    """`Visa •••• 4242`; what the balance pays of it before, or that nothing could pay it.

    Empty of another try: which method it asks depends on what was refused before. `methods` are the names
    of the saved ones, by id.
    """
    if not charge.due.minor:
        return _("Balance")
    if charge.is_retry:
        return ""
    if charge.method is not None:
        method = methods[charge.method]
    elif charge.expiring is not None:
        method = _("%(method)s (expired)", method=methods[charge.expiring])
    else:
        method = _("No payment method")
    if not charge.from_balance.minor:
        return method
    balance = formatting.money(charge.from_balance)
    return _("%(amount)s from the balance, then %(method)s", amount=balance, method=method)


def milestone_words(milestone: Milestone, *, product: str, methods: Mapping[int, str]) -> Said:
    """`product` is the name of what is subscribed to."""
    terms = milestone.terms
    plan = _terms_words(terms) if terms else translated(milestone.names) if milestone.names else product
    match milestone.kind:
        case MilestoneKind.TRIAL_ENDS:
            return Said(_("The free trial of %(product)s ends", product=product))
        case MilestoneKind.ENDS:
            return Said(_("%(plan)s ends", plan=plan), _("It was cancelled. Nothing more is charged."))
        case MilestoneKind.PAID_UNTIL:
            note = _("Automatic renewal is off.")
            return Said(_("%(plan)s is paid until this day", plan=plan), note)
        case MilestoneKind.PLAN_BEGINS:
            return Said(_("%(plan)s begins", plan=plan))
        case MilestoneKind.FREE_PLAN_BEGINS:
            return Said(_("%(plan)s begins", plan=plan), _("There is nothing more to pay."))
        case MilestoneKind.TOO_SMALL:
            note = _("Your usage is over its limits.")
            return Said(_("%(plan)s cannot begin", plan=plan), note)
        case MilestoneKind.NOT_SOLD:
            return Said(_("%(plan)s cannot be renewed", plan=plan), _("It is no longer sold."))
        case MilestoneKind.TAX_UNKNOWN:
            note = _("The VAT of this charge is not known yet.")
            return Said(_("Renewal of %(plan)s", plan=plan), note)
        case MilestoneKind.GUARANTEE_ENDS:
            return Said(_("The guaranteed price of %(plan)s ends", plan=plan), _price_after(milestone))
        case MilestoneKind.CARD_EXPIRES:
            method = methods.get(milestone.method or 0, "")
            return Said(_("Last day of %(method)s", method=method), _("It pays for %(plan)s.", plan=plan))
        case MilestoneKind.INVOICE_DUE:
            assert milestone.invoice is not None, "it falls due"
            what = _("Invoice %(number)s is due", number=milestone.invoice.number)
            return Said(what, unpaid_words(milestone.invoice))


def unpaid_words(invoice: UnpaidInvoice) -> str:
    amount, day = formatting.money(invoice.left), formatting.day(invoice.due_on)
    return _("%(amount)s is to be paid by %(date)s.", amount=amount, date=day)


def _price_after(milestone: Milestone) -> str:
    if milestone.price is None or milestone.terms is None:
        return ""
    amount = amount_words(milestone.price, milestone.terms.interval)
    return _("After it: %(amount)s excl. VAT, at the prices known today.", amount=amount)


def _terms_words(terms: ChargedTerms) -> str:
    return priced_name(terms.plan_names, terms.interval, terms.licences)
