"""The built-in gateway: every way that a payment can go, without money.

It behaves as if it were somebody else's: its books are its own file, it knows us by our keys only, and
it accepts the numbers of `sandbox_methods` and refuses every other without keeping it.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from portal.domain.vocabulary import DeclineCode, PaymentMethodKind
from portal.gateways.base import (
    ActionRequired,
    Capabilities,
    CardData,
    ChargeRequest,
    DebitAccount,
    Declined,
    EventKind,
    EventRejected,
    GatewayEvent,
    HostedRequest,
    KeyReused,
    MethodFacts,
    NeverMade,
    Outcome,
    Pending,
    Refunded,
    RefundOutcome,
    RefundRefusal,
    RefundRefused,
    RefundRequest,
    ResultUnknown,
    SetupRequest,
    Succeeded,
)

from .attempts import (
    DEBIT_TAKES,
    catch_up,
    decline,
    is_silent,
    new_attempt,
    proceed,
    read_source,
    same_key,
    save_method,
    submit,
    tell,
    token,
)
from .ledger import Attempt, AttemptState, Book, Ledger, Operation, Refund
from .methods import Account, Behaviour, read_paypal

SILENCE_SECONDS = 30.0
SIGNATURE_HEADER = "Sandbox-Signature"
SIGNATURE_TOLERANCE_SECONDS = 300


class UnknownReference(LookupError):
    """No challenge or hosted session has this reference, or it came to nothing: the page is a 404."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the 3-D Secure page shows. An amount of 0 is a set-up; `answered` (or closed): no more buttons.

    `kind` is SEPA debit where the page confirms a mandate or a debit, PayPal where PayPal is asking.
    """

    reference: str
    amount_minor: int
    currency: str
    description: str
    kind: PaymentMethodKind
    brand: str | None
    last4: str | None
    return_url: str
    answered: bool


@dataclass(frozen=True, slots=True)
class HostedSession:
    """What the PayPal page shows. An amount of 0 is a set-up; `answered` (or closed): no more buttons."""

    reference: str
    amount_minor: int
    currency: str
    description: str
    return_url: str
    answered: bool


@dataclass(frozen=True, slots=True)
class LedgerCharge:
    """One charge as the sandbox knows it, paid or not. Set-ups are none."""

    key: str
    reference: str
    amount_minor: int
    currency: str
    state: AttemptState
    metadata: Mapping[str, str]
    created_at: datetime
    refunded_minor: int
    disputed: bool


class Sandbox:
    """A Gateway that moves nothing. Usable from many threads and processes on one ledger at once.

    `now` is the business clock: a debit is decided and a dispute arrives once it has moved far enough.
    A method that "answers nothing" keeps its caller waiting 30 s, or `timeout_seconds` if that is less,
    through `sleep`. `timeout_seconds` is also how long the lock of the ledger is waited for. Every method
    raises GatewayUnavailable when the ledger cannot be used; nothing was done then.
    """

    name = "sandbox"

    def __init__(
        self,
        ledger: Path,
        *,
        base_url: str,
        now: Callable[[], datetime],
        timeout_seconds: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ledger = Ledger(ledger, wait_seconds=timeout_seconds)
        self._base_url = base_url.rstrip("/")
        self._now = now
        self._timeout_seconds = timeout_seconds
        self._sleep = sleep

    # The Protocol.

    def capabilities(self) -> Capabilities:
        kinds = frozenset({PaymentMethodKind.CARD, PaymentMethodKind.PAYPAL, PaymentMethodKind.SEPA_DEBIT})
        return Capabilities(
            kinds=kinds,
            hosted=frozenset({PaymentMethodKind.PAYPAL}),
            off_session=kinds,
            takes_card_here=True,
            refunds=True,
            processor_name="Portal sandbox",
            debit_days=DEBIT_TAKES.days,
        )

    def begin_setup(self, request: SetupRequest) -> Outcome:
        """Save a method: only the declined and the expired ones are refused, and the silent ones answer."""
        source, now = request.source, self._now()
        if request.kind is not _kind_entered(source):
            raise ValueError(f"a set-up of {request.kind} cannot begin with {source!r}")
        attempt = new_attempt(Operation.SETUP, request, source, now=now)
        with self._ledger.transaction() as book:
            if known := same_key(book, attempt):
                return self._outcome(known)
            if source is None:
                book.write_attempt(attempt)
                return self._outcome(attempt)
            account, refusal = read_source(book, source, now=now)
            return self._outcome(proceed(book, attempt, account=account, refusal=refusal, now=now))

    def open_hosted(self, request: HostedRequest) -> Outcome:
        """Open the PayPal page; no other kind has one here."""
        if request.kind is not PaymentMethodKind.PAYPAL:
            raise ValueError(f"{request.kind} has no page of its own here")
        now = self._now()
        attempt = new_attempt(Operation.HOSTED, request, None, now=now)
        with self._ledger.transaction() as book:
            catch_up(book, now=now)
            known = same_key(book, attempt)
            if known is None:
                book.write_attempt(attempt)
            return self._outcome(known or attempt)

    def charge(self, request: ChargeRequest) -> Outcome:
        """Charge as the description of the method says.

        After ResultUnknown the charge exists (0119) or does not (0127): `fetch` tells. A key that is
        asked again answers at once, except 0127's, which nobody knows.
        """
        now = self._now()
        attempt = new_attempt(Operation.CHARGE, request, request.source, now=now)
        with self._ledger.transaction() as book:
            catch_up(book, now=now)
            if known := same_key(book, attempt):
                return self._outcome(known)
            account, refusal = read_source(book, request.source, now=now)
            outcome = self._outcome(proceed(book, attempt, account=account, refusal=refusal, now=now))
        if is_silent(account) and not isinstance(outcome, Declined):
            self._sleep(min(SILENCE_SECONDS, self._timeout_seconds))
            raise ResultUnknown("the sandbox did not answer")
        return outcome

    def cancel(self, key: str) -> Outcome:
        """Close a charge or a set-up that waits for the payer; a later Confirm does nothing."""
        now = self._now()
        with self._ledger.transaction() as book:
            catch_up(book, now=now)
            attempt = book.attempt_by_key(key)
            if attempt is not None and attempt.state in (AttemptState.OPENED, AttemptState.ASKING):
                attempt = decline(book, attempt, DeclineCode.WITHDRAWN, at=now)
            return self._outcome(attempt)

    def refund(self, request: RefundRequest) -> RefundOutcome:
        """Send money back at once. A disputed charge is not refunded: its payer already has the money."""
        now = self._now()
        with self._ledger.transaction() as book:
            catch_up(book, now=now)
            refund = book.refund_by_key(request.key)
            if refund is None:
                refund = _make_refund(book, request, now=now)
            elif (refund.charge, refund.amount_minor) != (request.charge, request.amount_minor):
                raise KeyReused(request.key)
        if refund.code is not None:
            return RefundRefused(refund.code)
        return Refunded(refund.reference, refund.amount_minor, refund.created_at)

    def fetch(self, key: str) -> Outcome:
        now = self._now()
        with self._ledger.transaction() as book:
            catch_up(book, now=now)
            return self._outcome(book.attempt_by_key(key))

    def events_since(self, since: str | None, *, limit: int = 100) -> Sequence[GatewayEvent]:
        now = self._now()
        with self._ledger.transaction() as book:
            catch_up(book, now=now)
            return book.events_after(since, limit)

    def parse_event(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> GatewayEvent:
        given = {name.lower(): value for name, value in headers.items()}.get(SIGNATURE_HEADER.lower(), "")
        stamp, separator, signature = given.removeprefix("t=").partition(",v1=")
        if not (separator and stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
            raise EventRejected("no signature that can be read")
        with self._ledger.transaction() as book:
            secret = book.webhook_secret()
        if not hmac.compare_digest(_signature(secret, stamp, body), signature.encode(errors="replace")):
            raise EventRejected("the signature is wrong")
        if abs(now.timestamp() - int(stamp)) > SIGNATURE_TOLERANCE_SECONDS:
            raise EventRejected("signed too long before or after now")
        # What carries our signature has our shape: nobody else knows the secret.
        facts = json.loads(body)
        return GatewayEvent(
            id=facts["id"],
            kind=EventKind(facts["kind"]),
            occurred_at=datetime.fromisoformat(facts["occurred_at"]),
            reference=facts["reference"],
            key=facts["key"],
            payload=body,
        )

    def signed_headers(self, event: GatewayEvent, *, at: datetime) -> Mapping[str, str]:
        """What a delivery of `event.payload` at the wall time `at` carries."""
        with self._ledger.transaction() as book:
            secret = book.webhook_secret()
        stamp = str(int(at.timestamp()))
        return {SIGNATURE_HEADER: f"t={stamp},v1={_signature(secret, stamp, event.payload).decode()}"}

    # The payer's side: what the sandbox's own pages show and do.

    def challenge(self, reference: str) -> Challenge:
        """Raises UnknownReference, also while nobody has signed in to PayPal yet."""
        with self._ledger.transaction() as book:
            attempt, account = _asked(book, reference)
        return Challenge(
            reference=reference,
            amount_minor=attempt.amount_minor,
            currency=attempt.currency,
            description=attempt.description,
            kind=account.kind,
            brand=account.brand,
            last4=account.last4,
            return_url=attempt.return_url,
            answered=attempt.state is not AttemptState.ASKING,
        )

    def answer_challenge(self, reference: str, *, confirmed: bool) -> str:
        """Confirm or Refuse on the 3-D Secure page; the address to send the browser back to.

        Only the first answer counts, and none after `cancel`. Raises UnknownReference.
        """
        now = self._now()
        with self._ledger.transaction() as book:
            attempt, _ = _asked(book, reference)
            if attempt.state is AttemptState.ASKING and confirmed:
                submit(book, attempt, now=now)
            elif attempt.state is AttemptState.ASKING:
                decline(book, attempt, DeclineCode.AUTHENTICATION_FAILED, at=now)
        return attempt.return_url

    def hosted_session(self, reference: str) -> HostedSession:
        """Raises UnknownReference."""
        with self._ledger.transaction() as book:
            attempt = _hosted(book, reference)
        return HostedSession(
            reference=reference,
            amount_minor=attempt.amount_minor,
            currency=attempt.currency,
            description=attempt.description,
            return_url=attempt.return_url,
            answered=attempt.state is not AttemptState.OPENED,
        )

    def answer_hosted(self, reference: str, *, email: str, confirmed: bool) -> str:
        """The payer signs in to PayPal as `email` and agrees, or refuses; the address to send the browser to.

        That is the 3-D Secure page for an address that asks for it. The addresses that "answer nothing"
        send the browser back as well: `fetch` then says charged, or never made. Only the first answer
        counts, and none after `cancel`. Raises UnknownReference.
        """
        now = self._now()
        with self._ledger.transaction() as book:
            opened = _hosted(book, reference)
            attempt: Attempt | None = opened
            if opened.state is AttemptState.OPENED and confirmed:
                account, refusal = read_paypal(email)
                attempt = proceed(book, opened, account=account, refusal=refusal, now=now)
            elif opened.state is AttemptState.OPENED:
                decline(book, opened, DeclineCode.REFUSED_BY_PAYER, at=now)
        if attempt is not None and attempt.state is AttemptState.ASKING:
            return self._challenge_url(reference)
        return opened.return_url

    # For tests, `portal check` and demo data.

    def charges(self) -> list[LedgerCharge]:
        """Every charge, oldest first: the truth that the payment table is compared with."""
        now = self._now()
        with self._ledger.transaction() as book:
            catch_up(book, now=now)
            attempts = book.attempts()
        return [_ledger_charge(attempt) for attempt in attempts if attempt.operation is not Operation.SETUP]

    def import_paid(self, past: Iterable[tuple[ChargeRequest, datetime]]) -> list[Outcome]:
        """Demo data: each request was paid at its own time. One transaction, no events, keys as ever.

        Raises ValueError for a method that is not simply paid; nothing is imported then.
        """
        with self._ledger.transaction() as book:
            return [self._outcome(_import_paid(book, request, at=at)) for request, at in past]

    def _outcome(self, attempt: Attempt | None) -> Outcome:
        if attempt is None:
            return NeverMade()
        match attempt.state:
            case AttemptState.OPENED:
                return ActionRequired(
                    f"{self._base_url}/sandbox/paypal/{attempt.reference}", attempt.reference
                )
            case AttemptState.ASKING:
                return ActionRequired(self._challenge_url(attempt.reference), attempt.reference)
            case AttemptState.PENDING:
                return Pending(attempt.reference)
            case AttemptState.DECLINED:
                assert attempt.code is not None
                return Declined(attempt.code, attempt.soft, attempt.reference, _facts(attempt))
            case AttemptState.SUCCEEDED:
                assert attempt.decided_at is not None
                return Succeeded(
                    reference=attempt.reference,
                    amount_minor=attempt.amount_minor,
                    currency=attempt.currency,
                    at=attempt.decided_at,
                    method=_facts(attempt),
                    refunded_minor=attempt.refunded_minor,
                    disputed=attempt.disputed,
                )

    def _challenge_url(self, reference: str) -> str:
        return f"{self._base_url}/sandbox/3ds/{reference}"


def _kind_entered(source: CardData | DebitAccount | None) -> PaymentMethodKind:
    match source:
        case CardData():
            return PaymentMethodKind.CARD
        case DebitAccount():
            return PaymentMethodKind.SEPA_DEBIT
        case None:
            return PaymentMethodKind.PAYPAL


def _make_refund(book: Book, request: RefundRequest, *, now: datetime) -> Refund:
    attempt = book.attempt_by_reference(request.charge)
    refusal = _refund_refusal(attempt, request.amount_minor)
    refund = Refund(token("refund"), request.key, request.charge, request.amount_minor, now, refusal)
    book.add_refund(refund)
    if attempt is not None and refusal is None:
        book.write_attempt(replace(attempt, refunded_minor=attempt.refunded_minor + request.amount_minor))
        tell(book, attempt, EventKind.CHARGE_REFUNDED, at=now)
    return refund


def _refund_refusal(attempt: Attempt | None, amount_minor: int) -> RefundRefusal | None:
    if attempt is None or attempt.state is not AttemptState.SUCCEEDED or attempt.amount_minor == 0:
        return RefundRefusal.NOT_CAPTURED
    if attempt.disputed:
        return RefundRefusal.DISPUTED
    if attempt.refunded_minor + amount_minor > attempt.amount_minor:
        return RefundRefusal.EXCEEDS_CAPTURED
    return None


def _import_paid(book: Book, request: ChargeRequest, *, at: datetime) -> Attempt:
    attempt = new_attempt(Operation.CHARGE, request, request.source, now=at)
    if known := same_key(book, attempt):
        return known
    account, refusal = read_source(book, request.source, now=at)
    if account is None or account.behaviour is not Behaviour.PAID or refusal is not None:
        raise ValueError("only a method that is simply paid can be imported")
    attempt = replace(
        attempt, account=account, kind=account.kind, state=AttemptState.SUCCEEDED, decided_at=at
    )
    attempt = replace(attempt, method_reference=save_method(book, attempt, at=at))
    book.write_attempt(attempt)
    return attempt


def _asked(book: Book, reference: str) -> tuple[Attempt, Account]:
    attempt = book.attempt_by_reference(reference)
    if attempt is None or attempt.account is None:
        raise UnknownReference(reference)
    return attempt, attempt.account


def _hosted(book: Book, reference: str) -> Attempt:
    attempt = book.attempt_by_reference(reference)
    if (
        attempt is None
        or attempt.operation is Operation.CHARGE
        or attempt.kind is not PaymentMethodKind.PAYPAL
    ):
        raise UnknownReference(reference)
    return attempt


def _facts(attempt: Attempt) -> MethodFacts | None:
    account = attempt.account
    if account is None:
        return None
    return MethodFacts(
        reference=attempt.method_reference,
        kind=account.kind,
        brand=account.brand,
        last4=account.last4,
        exp_month=account.exp_month,
        exp_year=account.exp_year,
        holder=account.holder,
    )


def _ledger_charge(attempt: Attempt) -> LedgerCharge:
    return LedgerCharge(
        key=attempt.key,
        reference=attempt.reference,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        state=attempt.state,
        metadata=json.loads(attempt.metadata),
        created_at=attempt.created_at,
        refunded_minor=attempt.refunded_minor,
        disputed=attempt.disputed,
    )


def _signature(secret: bytes, stamp: str, body: bytes) -> bytes:
    return hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest().encode()
