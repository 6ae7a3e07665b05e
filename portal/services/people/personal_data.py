"""Everything that is kept of one person, as one object of plain JSON: what they may ask for by law.

Found as an erasure finds it (erasure.py). No password, no token, no key and no secret of a letter is in it.
The keys of VERSION stay as they are; what is new gets a new key.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, TypeAlias

from peewee import JOIN, fn

from portal.database.connecting import snapshot
from portal.domain.folding import fold
from portal.domain.vocabulary import LinkPurpose
from portal.models import (
    AuditEntry,
    AuditTrace,
    BankTransfer,
    BillingDetails,
    CalendarAddress,
    CartLine,
    Contact,
    Dispute,
    ExchangeRate,
    Invoice,
    Licence,
    Link,
    Member,
    MethodSetup,
    NonprofitRequest,
    Order,
    OutboxMessage,
    Payment,
    PaymentMethod,
    Product,
    PurchaseRequest,
    Refund,
    Session,
    Subscription,
    UnsentForm,
    Workspace,
)

from . import trials_taken
from .erasure import (
    Subject,
    advised_by,
    asked_by,
    details_of,
    find,
    is_named_in,
    of_contact,
    traces_of,
    written_to,
)

VERSION = 1
Rows: TypeAlias = "list[dict[str, Any]]"
KINDS_OF_ADDRESS = {LinkPurpose.NEW_EMAIL: "waits for proof", LinkPurpose.UNDO_EMAIL: "way back"}
CHANGES_OF_SETTINGS = ("billing.settings_changed", "workspace.settings_changed", "person.profile_changed")


def export(email: str, *, now: datetime) -> dict[str, Any] | None:
    """All of one moment; None where nothing is kept under the address. Reads only."""
    with snapshot():
        subject = find(email)
        parts = {name: [_plain(row) for row in rows] for name, rows in _parts(subject).items()}
        account = _account(subject)
        no_trial_until = trials_taken.taken_until(subject.address, now=now)
    if account is None and no_trial_until is None and not any(parts.values()):
        return None
    return {
        "version": VERSION,
        "made_at": now.isoformat(),
        "email": subject.address,
        "account": account,
        "no_trial_until": no_trial_until.isoformat() if no_trial_until else None,
        **parts,
    }


def _account(subject: Subject) -> dict[str, Any] | None:
    person = subject.person
    if person is None:
        return None
    return _plain(
        {
            "id": person.id,
            "email": person.email,
            "name": person.name,
            "language": person.language,
            "has_password": person.password_hash is not None,
            "is_operator": person.is_operator,
            "skips_buy_dialog": person.skips_buy_dialog,
            "created_at": person.created_at,
            "email_proved_at": person.email_proved_at,
            "bounced_at": person.bounced_at,
            "bounce_reason": person.bounce_reason,
        }
    )


def _parts(subject: Subject) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    memberships = _memberships(subject)
    entries = _entries(subject)
    return {
        "addresses": _addresses(subject),
        "sessions": _sessions(subject),
        "links": _links(subject),
        "memberships": [each for each in memberships if each["joined_at"]],
        "invitations": [each for each in memberships if not each["joined_at"]],
        "licences": _licences(subject),
        "calendar_addresses": _calendars(subject),
        "contacts": _contacts(subject),
        "billing_details": _billing_details(subject),
        "orders": _orders(subject),
        "invoices": _invoices(subject),
        "payments": _payments(subject),
        "refunds": _refunds(subject),
        "disputes": _disputes(subject),
        "bank_transfers": _bank_transfers(subject),
        "payment_methods": _methods(subject),
        "saved_method_attempts": _setups(subject),
        "cart_lines": _cart_lines(subject),
        "purchase_requests": _purchase_requests(subject),
        "nonprofit_requests": _nonprofit_requests(subject),
        "exchange_rates": _exchange_rates(subject),
        "adviser_of": _advised(subject),
        "letters": _letters(subject),
        "unsent_forms": _unsent_forms(subject),
        "settings_changes": [each for each in entries if each["action"] in CHANGES_OF_SETTINGS],
        "audit": [each for each in entries if each["action"] not in CHANGES_OF_SETTINGS],
    }


def _plain(value: Any) -> Any:
    """Dates and instants as ISO text, words of the vocabulary as they are stored."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, str) else value


def _rows(query: Any) -> Rows:
    return list(query.dicts())


# --- the account ----------------------------------------------------------------------------------


def _addresses(subject: Subject) -> Rows:
    """Their own, those that wait for proof, and those to which a change may still be undone."""
    own = [{"email": subject.person.email, "kind": "own", "until": None}] if subject.person else []
    given = Link.select().where(
        Link.person == subject.person_id, Link.email.is_null(False), Link.used_at.is_null()
    )
    return own + [
        {"email": link.email, "kind": KINDS_OF_ADDRESS.get(link.purpose, "given"), "until": link.expires_at}
        for link in given.order_by(Link.id)
    ]


def _sessions(subject: Subject) -> Rows:
    return _rows(
        Session.select(
            Session.created_at,
            Session.seen_at,
            Session.ip_address,
            Session.other_ip_address,
            Session.user_agent,
        )
        .where(Session.person == subject.person_id)
        .order_by(Session.id)
    )


def _links(subject: Subject) -> Rows:
    """Single-use links that were mailed to them or to their contacts; where they lead is kept nowhere."""
    return _rows(
        Link.select(Link.purpose, Link.email, Link.created_at, Link.expires_at, Link.used_at)
        .join(Contact, JOIN.LEFT_OUTER)
        .where(
            (Link.person == subject.person_id)
            | (fn.LOWER(Contact.email) == subject.address)
            | (fn.LOWER(Link.email) == subject.address)
        )
        .order_by(Link.id)
    )


def _unsent_forms(subject: Subject) -> Rows:
    return [
        {"page": form.page, "fields": form.fields, "expires_at": form.expires_at}
        for form in UnsentForm.select().order_by(UnsentForm.id)
        if form.person_id == subject.person_id or is_named_in(form, subject)
    ]


# --- what they belong to --------------------------------------------------------------------------


def _memberships(subject: Subject) -> Rows:
    return _rows(
        Member.select(
            Workspace.slug.alias("workspace"),
            Workspace.name.alias("workspace_name"),
            Member.role,
            Member.wanted_role,
            Member.status,
            Member.is_upgrader,
            Member.created_at.alias("invited_at"),
            Member.joined_at,
        )
        .join(Workspace)
        .where(Member.person == subject.person_id)
        .order_by(Member.id)
    )


def _licences(subject: Subject) -> Rows:
    """Those that they hold, and those that they gave to others, of whom nothing is said."""
    return _rows(
        Licence.select(
            Workspace.slug.alias("workspace"),
            Product.code.alias("product"),
            Licence.assigned_at,
            (Member.person == subject.person_id).alias("is_theirs"),
        )
        .join_from(Licence, Member)
        .join_from(Licence, Subscription)
        .join_from(Subscription, Product)
        .join_from(Subscription, Workspace)
        .where((Member.person == subject.person_id) | (Licence.assigned_by == subject.person_id))
        .order_by(Licence.id)
    )


def _calendars(subject: Subject) -> Rows:
    return _rows(
        CalendarAddress.select(Workspace.slug.alias("workspace"), CalendarAddress.created_at)
        .join(Member)
        .join(Workspace)
        .where(Member.person == subject.person_id)
        .order_by(CalendarAddress.id)
    )


def _contacts(subject: Subject) -> Rows:
    """Where they get letters about money; `is_theirs` is false for another address that they added."""
    contacts = (
        Contact.select(Contact, Workspace, Member)
        .join_from(Contact, Workspace)
        .join_from(Contact, Member, JOIN.LEFT_OUTER)
        .where(of_contact(subject) | (Contact.added_by == subject.person_id))
        .order_by(Contact.id)
    )
    return [_contact(each, is_theirs=_is_their_contact(each, subject)) for each in contacts]


def _contact(contact: Contact, *, is_theirs: bool) -> dict[str, Any]:
    return {
        "workspace": contact.workspace.slug,
        "email": contact.email if is_theirs else None,
        "is_theirs": is_theirs,
        "language": contact.language if is_theirs else None,
        "created_at": contact.created_at,
        "confirmed_at": contact.confirmed_at if is_theirs else None,
        "bounced_at": contact.bounced_at if is_theirs else None,
        "bounce_reason": contact.bounce_reason if is_theirs else None,
    }


def _is_their_contact(contact: Contact, subject: Subject) -> bool:
    if contact.member is not None:
        return contact.member.person_id == subject.person_id
    return contact.email is not None and contact.email.lower() == subject.address


def _billing_details(subject: Subject) -> Rows:
    found = [(each, details_of(each, subject)) for each in subject.workspaces]
    names = [field for field in BillingDetails._meta.sorted_field_names if field not in ("id", "workspace")]
    return [
        {"workspace": workspace.slug, **{name: getattr(details, name) for name in names}}
        for workspace, details in found
        if details is not None
    ]


# --- what was bought ------------------------------------------------------------------------------


def _orders(subject: Subject) -> Rows:
    """With the billing details that were typed for each, and what was bought as it was shown."""
    orders = Order.select(Order, Workspace).join(Workspace).where(Order.person == subject.person_id)
    return [
        {
            "number": order.number,
            "workspace": order.workspace.slug,
            "state": order.state,
            "plans": [
                {"plan": line.plan_code, "interval": line.interval, "quantity": line.quantity}
                for line in order.frozen_lines
            ],
            "currency": order.currency,
            "net_minor": order.net_minor,
            "tax_minor": order.tax_minor,
            "total_minor": order.total_minor,
            "method": order.method_kind,
            "auto_renewal": order.auto_renewal,
            "created_at": order.created_at,
            "given_at": order.given_at,
            "billing_details": order.details,
        }
        for order in orders.order_by(Order.id)
    ]


def _invoices(subject: Subject) -> Rows:
    """Documents of their orders; the workspace has the documents themselves."""
    return _rows(
        Invoice.select(
            Invoice.number,
            Invoice.kind,
            Order.number.alias("order"),
            Invoice.issued_on,
            Invoice.currency,
            Invoice.total_minor,
        )
        .join(Order)
        .where(Order.person == subject.person_id)
        .order_by(Invoice.id)
    )


def _payments(subject: Subject) -> Rows:
    return _rows(
        Payment.select(
            Order.number.alias("order"),
            Payment.gateway,
            Payment.state,
            Payment.decline_code,
            Payment.amount_minor,
            Payment.currency,
            Payment.method_kind,
            Payment.brand,
            Payment.last4,
            Payment.payer_name,
            Payment.payer_email,
            Payment.reference,
            Payment.created_at,
            Payment.settled_at,
        )
        .join(Order)
        .where((Order.person == subject.person_id) | (fn.LOWER(Payment.payer_email) == subject.address))
        .order_by(Payment.id)
    )


def _refunds(subject: Subject) -> Rows:
    return _rows(
        Refund.select(
            Order.number.alias("order"),
            Refund.state,
            Refund.amount_minor,
            Refund.currency,
            Refund.created_at,
            Refund.settled_at,
        )
        .join(Payment)
        .join(Order)
        .where((Refund.person == subject.person_id) | (Order.person == subject.person_id))
        .order_by(Refund.id)
    )


def _disputes(subject: Subject) -> Rows:
    return _rows(
        Dispute.select(Order.number.alias("order"), Dispute.opened_at, Dispute.payload)
        .join(Payment)
        .join(Order)
        .where(Order.person == subject.person_id)
        .order_by(Dispute.id)
    )


def _bank_transfers(subject: Subject) -> Rows:
    """What the bank told of somebody called like them, in their workspaces."""
    told = BankTransfer.select(BankTransfer, Workspace).join(Workspace)
    return [
        {
            "workspace": transfer.workspace.slug if transfer.workspace else None,
            "booked_on": transfer.booked_on,
            "payer_name": transfer.payer_name,
            "payer_iban": transfer.payer_iban,
            "reference": transfer.reference,
            "texts": transfer.texts,
            "amount_minor": transfer.amount_minor,
            "currency": transfer.currency,
        }
        for transfer in told.where(
            BankTransfer.workspace << [each.id for each in subject.workspaces], BankTransfer.payer_name != ""
        ).order_by(BankTransfer.id)
        if fold(transfer.payer_name) == fold(subject.name)
    ]


def _methods(subject: Subject) -> Rows:
    """Those that they added; the number is kept by the gateway alone."""
    return _rows(
        PaymentMethod.select(
            Workspace.slug.alias("workspace"),
            PaymentMethod.gateway,
            PaymentMethod.kind,
            PaymentMethod.brand,
            PaymentMethod.last4,
            PaymentMethod.exp_month,
            PaymentMethod.exp_year,
            PaymentMethod.holder,
            PaymentMethod.mandate_reference,
            PaymentMethod.mandate_on,
            PaymentMethod.created_at,
            PaymentMethod.stopped_at,
            PaymentMethod.removed_at,
        )
        .join(Workspace)
        .where(PaymentMethod.added_by == subject.person_id)
        .order_by(PaymentMethod.id)
    )


def _setups(subject: Subject) -> Rows:
    return _rows(
        MethodSetup.select(
            Workspace.slug.alias("workspace"),
            MethodSetup.gateway,
            MethodSetup.kind,
            MethodSetup.state,
            MethodSetup.decline_code,
            MethodSetup.mandate_reference,
            MethodSetup.mandate_on,
            MethodSetup.created_at,
        )
        .join(Workspace)
        .where(MethodSetup.person == subject.person_id)
        .order_by(MethodSetup.id)
    )


# --- what was wished ------------------------------------------------------------------------------


def _cart_lines(subject: Subject) -> Rows:
    return _rows(
        CartLine.select(
            Workspace.slug.alias("workspace"),
            Product.code.alias("product"),
            CartLine.interval,
            CartLine.quantity,
            CartLine.changed_at,
        )
        .join_from(CartLine, Workspace)
        .join_from(CartLine, Product)
        .where(CartLine.added_by == subject.person_id)
        .order_by(CartLine.id)
    )


def _purchase_requests(subject: Subject) -> Rows:
    """Those that they asked, with the note, and those that they decided, with their reason."""
    requests = PurchaseRequest.select(PurchaseRequest, Workspace).join(Workspace)
    return [
        {
            "number": request.number,
            "workspace": request.workspace.slug,
            "is_asker": request.asker_id == subject.person_id,
            "is_decider": request.decided_by_id == subject.person_id,
            "note": request.note if request.asker_id == subject.person_id else None,
            "state": request.state,
            "reason": request.reason,
            "created_at": request.created_at,
            "decided_at": request.decided_at,
        }
        for request in requests.where(
            (PurchaseRequest.asker == subject.person_id) | (PurchaseRequest.decided_by == subject.person_id)
        ).order_by(PurchaseRequest.id)
    ]


def _nonprofit_requests(subject: Subject) -> Rows:
    """Those of the address, and which ones they decided as an operator, without what others wrote."""
    own = _rows(
        NonprofitRequest.select(
            NonprofitRequest.organisation,
            NonprofitRequest.country,
            NonprofitRequest.contact_name,
            NonprofitRequest.email,
            NonprofitRequest.website,
            NonprofitRequest.registration_number,
            NonprofitRequest.purpose,
            NonprofitRequest.language,
            NonprofitRequest.state,
            NonprofitRequest.reason,
            NonprofitRequest.created_at,
            NonprofitRequest.decided_at,
        )
        .where(asked_by(subject))
        .order_by(NonprofitRequest.id)
    )
    decided = _rows(
        NonprofitRequest.select(
            NonprofitRequest.organisation, NonprofitRequest.state, NonprofitRequest.decided_at
        )
        .where(NonprofitRequest.decided_by == subject.person_id)
        .order_by(NonprofitRequest.id)
    )
    return own + decided


def _exchange_rates(subject: Subject) -> Rows:
    """Those that they entered as an operator."""
    return _rows(
        ExchangeRate.select(
            ExchangeRate.base, ExchangeRate.currency, ExchangeRate.rate_on, ExchangeRate.added_at
        )
        .where(ExchangeRate.added_by == subject.person_id)
        .order_by(ExchangeRate.id)
    )


def _advised(subject: Subject) -> Rows:
    """Corporate workspaces that are told to write to them."""
    return _rows(
        Workspace.select(
            Workspace.slug.alias("workspace"),
            Workspace.adviser_name,
            Workspace.adviser_email,
            Workspace.account_service_email,
            Workspace.account_service_phone,
        )
        .where(advised_by(subject))
        .order_by(Workspace.id)
    )


# --- what was written -----------------------------------------------------------------------------


def _letters(subject: Subject) -> Rows:
    """Every letter to them that is kept, sent or waiting. The secrets are those of links."""
    letters = OutboxMessage.select().where(OutboxMessage.topic == "mail", written_to(subject))
    return [
        {
            "letter": letter.payload["template"],
            "to": subject.address,
            "language": letter.payload["locale"],
            "context": letter.payload["context"],
            "promised_at": letter.created_at,
            "sent_at": letter.done_at,
            "parked_at": letter.parked_at,
            "waits": letter.done_at is None and letter.parked_at is None,
        }
        for letter in letters.order_by(OutboxMessage.id)
    ]


def _entries(subject: Subject) -> Rows:
    """What they did, with the address it came from, and what was done to their account and memberships."""
    members = [
        (member.workspace_id, str(member.id))
        for member in Member.select().where(Member.person == subject.person_id)
    ]
    about = AuditEntry.workspace.is_null() & AuditEntry.action.startswith("person.")
    about &= AuditEntry.subject == str(subject.person_id)
    for workspace_id, member in members:
        about |= (
            (AuditEntry.workspace == workspace_id)
            & (AuditEntry.subject == member)
            & (AuditEntry.action.startswith("member.") | AuditEntry.action.startswith("licence."))
        )
    traces = (
        AuditTrace.select(AuditTrace, AuditEntry, Workspace)
        .join_from(AuditTrace, AuditEntry)
        .join_from(AuditEntry, Workspace, JOIN.LEFT_OUTER)
        .order_by(AuditEntry.id)
    )
    own = list(traces.where(traces_of(subject)))
    known = {trace.id for trace in own}
    told = [(trace, True) for trace in own]
    told += [(trace, False) for trace in traces.where(about) if trace.id not in known]
    told.sort(key=lambda each: each[0].entry.id)
    return [_entry(trace, is_own=is_own) for trace, is_own in told]


def _entry(trace: AuditTrace, *, is_own: bool) -> dict[str, Any]:
    """Who else did it, and from where, is theirs to know."""
    entry = trace.entry
    return {
        "at": entry.at,
        "workspace": entry.workspace.slug if entry.workspace else None,
        "action": entry.action,
        "subject": entry.subject,
        "changes": entry.changes,
        "was_theirs": is_own,
        "ip_address": trace.ip_address if is_own else None,
    }
