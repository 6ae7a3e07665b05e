"""What becomes of an attempt in the sandbox.

Each step runs in the caller's transaction and returns the attempt as it is afterwards.
"""

import hashlib
import json
import secrets
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from portal.domain.vocabulary import DeclineCode, PaymentMethodKind
from portal.gateways.base import (
    CardData,
    ChargeRequest,
    DebitAccount,
    EventKind,
    GatewayEvent,
    HostedRequest,
    KeyReused,
    SavedMethod,
    SetupRequest,
    Source,
)
from portal.gateways.cards import expires_before

from .ledger import Attempt, AttemptState, Book, Operation
from .methods import Account, Behaviour, read_card, read_debit_account, source_facts

DEBIT_TAKES = timedelta(days=1)
DISPUTED_AFTER = timedelta(days=1)
SOFT_DECLINES_BEFORE_PAID = 2

_SUBJECTS = ("order", "invoice", "subscription")

Request: TypeAlias = SetupRequest | HostedRequest | ChargeRequest


def new_attempt(operation: Operation, request: Request, source: Source | None, *, now: datetime) -> Attempt:
    """An attempt that is not written yet and whose payer is not read yet."""
    reference = token(operation)
    saved = source.reference if isinstance(source, SavedMethod) else None
    subjects = [f"{name}:{request.metadata[name]}" for name in _SUBJECTS if name in request.metadata]
    return Attempt(
        reference=reference,
        key=request.key,
        operation=operation,
        fingerprint=_fingerprint(operation, request, source),
        created_at=now,
        amount_minor=0 if isinstance(request, SetupRequest) else request.amount_minor,
        currency=request.currency,
        description=request.description,
        metadata=json.dumps(dict(request.metadata)),
        subject=[*subjects, saved or reference][0],
        return_url=request.return_url,
        saves=isinstance(request, SetupRequest) or request.save,
        state=AttemptState.OPENED,
        kind=None if isinstance(request, ChargeRequest) else request.kind,
        method_reference=saved,
    )


def same_key(book: Book, attempt: Attempt) -> Attempt | None:
    """The attempt that was made with this key before; raises KeyReused if it was another one."""
    known = book.attempt_by_key(attempt.key)
    if known is not None and known.fingerprint != attempt.fingerprint:
        raise KeyReused(attempt.key)
    return known


def read_source(book: Book, source: Source, *, now: datetime) -> tuple[Account | None, DeclineCode | None]:
    """The account behind what was presented, and why it cannot be used at all, if so."""
    match source:
        case CardData():
            return read_card(source, on=now.date())
        case DebitAccount():
            return read_debit_account(source)
        case SavedMethod():
            account = book.method(source.reference)
            if account is None:
                return None, DeclineCode.METHOD_GONE
            is_over = (
                account.exp_month is not None
                and account.exp_year is not None
                and expires_before(account.exp_month, account.exp_year, now.date())
            )
            return account, DeclineCode.EXPIRED_CARD if is_over else None


def proceed(
    book: Book,
    attempt: Attempt,
    *,
    account: Account | None,
    refusal: DeclineCode | None,
    now: datetime,
) -> Attempt | None:
    """The payer was read: the attempt is refused, never made (None), asks for 3-D Secure, or goes on."""
    if account is None:
        attempt = replace(attempt, method_reference=None)
    else:
        attempt = replace(attempt, account=account, kind=account.kind)
        if account.kind is PaymentMethodKind.SEPA_DEBIT and attempt.currency != "EUR":
            refusal = DeclineCode.UNSUPPORTED_CURRENCY
    if refusal is not None:
        return decline(book, attempt, refusal, at=now)
    if never_made(attempt):
        book.forget_attempt(attempt)
        return None
    if _asks(attempt):
        attempt = replace(attempt, state=AttemptState.ASKING)
        book.write_attempt(attempt)
        return attempt
    return submit(book, attempt, now=now)


def submit(book: Book, attempt: Attempt, *, now: datetime) -> Attempt:
    """A debit goes to the bank, which decides a day later; everything else is decided here."""
    if attempt.kind is PaymentMethodKind.SEPA_DEBIT and attempt.operation is not Operation.SETUP:
        attempt = replace(attempt, state=AttemptState.PENDING, settles_at=now + DEBIT_TAKES)
        book.write_attempt(attempt)
        return attempt
    return _decide(book, attempt, at=now)


def decline(book: Book, attempt: Attempt, code: DeclineCode, *, soft: bool = False, at: datetime) -> Attempt:
    attempt = replace(attempt, state=AttemptState.DECLINED, code=code, soft=soft, decided_at=at)
    book.write_attempt(attempt)
    if attempt.operation is not Operation.SETUP:
        tell(book, attempt, EventKind.CHARGE_DECLINED, at=at)
    return attempt


def catch_up(book: Book, *, now: datetime) -> None:
    """Let happen what the business clock has made due: banks decide debits, payers dispute."""
    for attempt in book.attempts_to_settle(now):
        _decide(book, attempt, at=attempt.settles_at or now)
    for attempt in book.attempts_to_dispute(now):
        book.write_attempt(replace(attempt, disputed=True))
        tell(book, attempt, EventKind.CHARGE_DISPUTED, at=attempt.disputes_at or now)


def tell(book: Book, attempt: Attempt, kind: EventKind, *, at: datetime) -> None:
    """Add an event about the attempt as it is."""
    event_id = token("event")
    facts = {
        "id": event_id,
        "kind": kind,
        "occurred_at": at.astimezone(UTC).isoformat(),
        "reference": attempt.reference,
        "key": attempt.key,
        "amount_minor": attempt.amount_minor,
        "currency": attempt.currency,
    }
    payload = json.dumps(facts).encode()
    book.add_event(GatewayEvent(event_id, kind, at, attempt.reference, attempt.key, payload))


def save_method(book: Book, attempt: Attempt, *, at: datetime) -> str | None:
    """The reference of the saved method, saved now if that was asked; None if it is not to be saved."""
    if attempt.method_reference is not None or attempt.account is None or not attempt.saves:
        return attempt.method_reference
    reference = token("method")
    book.add_method(reference, attempt.account, at)
    return reference


def is_silent(account: Account | None) -> bool:
    return account is not None and account.behaviour in (
        Behaviour.SILENT_CHARGED,
        Behaviour.SILENT_NOT_CHARGED,
    )


def never_made(attempt: Attempt) -> bool:
    return _behaviour(attempt) is Behaviour.SILENT_NOT_CHARGED and attempt.operation is not Operation.SETUP


def token(kind: str) -> str:
    """A reference that nobody can guess (192 random bits)."""
    return f"{kind}_{secrets.token_urlsafe(24)}"


def _decide(book: Book, attempt: Attempt, *, at: datetime) -> Attempt:
    refusal = _refusal(book, attempt)
    if refusal is not None:
        return decline(book, attempt, refusal, soft=refusal is DeclineCode.INSUFFICIENT_FUNDS, at=at)
    is_setup = attempt.operation is Operation.SETUP
    disputed_later = _behaviour(attempt) is Behaviour.DISPUTED and not is_setup
    attempt = replace(
        attempt,
        state=AttemptState.SUCCEEDED,
        decided_at=at,
        disputes_at=at + DISPUTED_AFTER if disputed_later else None,
        method_reference=save_method(book, attempt, at=at),
    )
    book.write_attempt(attempt)
    tell(book, attempt, EventKind.METHOD_SAVED if is_setup else EventKind.CHARGE_SUCCEEDED, at=at)
    return attempt


def _refusal(book: Book, attempt: Attempt) -> DeclineCode | None:
    """What the payer's bank says to an attempt that reached it.

    Not enough funds: the first charge and the first retry are declined, the second retry is paid. Counted
    per kind of method over the charges with the same `order` (else `invoice`, else `subscription`) in their
    metadata, without any of these per saved method, and from nought again after one was paid.
    """
    behaviour = _behaviour(attempt)
    is_setup = attempt.operation is Operation.SETUP
    if behaviour is Behaviour.EXPIRED:
        is_debit = attempt.kind is PaymentMethodKind.SEPA_DEBIT
        return DeclineCode.MANDATE_EXPIRED if is_debit else DeclineCode.EXPIRED_CARD
    if behaviour is Behaviour.DECLINED or (behaviour is Behaviour.DECLINED_WHEN_CHARGED and not is_setup):
        return DeclineCode.DECLINED
    lacks_funds = behaviour is Behaviour.INSUFFICIENT_FUNDS and not is_setup
    if lacks_funds and book.soft_declines(attempt) < SOFT_DECLINES_BEFORE_PAID:
        return DeclineCode.INSUFFICIENT_FUNDS
    return None


def _asks(attempt: Attempt) -> bool:
    already_saved = attempt.method_reference is not None
    behaviour = _behaviour(attempt)
    return behaviour is Behaviour.ASKS_ALWAYS or (behaviour is Behaviour.ASKS_ONCE and not already_saved)


def _behaviour(attempt: Attempt) -> Behaviour | None:
    return None if attempt.account is None else attempt.account.behaviour


def _fingerprint(operation: Operation, request: Request, source: Source | None) -> str:
    """A hash of every parameter but the key, the security code, and the number of a refused card."""
    facts = {name: getattr(request, name) for name in _names(request) - {"key", "metadata", "source"}}
    facts |= {"operation": operation, "metadata": dict(request.metadata)}
    if isinstance(source, SavedMethod):
        facts["source"] = source.reference
    elif source is not None:
        facts["source"] = [type(source).__name__, *source_facts(source)]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _names(request: Request) -> set[str]:
    return {field.name for field in fields(request)}
