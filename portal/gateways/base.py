"""What Portal asks of whoever moves money, and what it may be told.

A refusal is a value. An exception means that we do not know: whoever catches `ResultUnknown` records
the payment as unknown and looks it up with `fetch`; it never asks anew under another key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

from portal.domain.vocabulary import DeclineCode, PaymentMethodKind


class ResultUnknown(Exception):
    """We asked and heard no answer: money may or may not have moved. Only `fetch` may tell."""


class GatewayUnavailable(ResultUnknown):
    """The request provably never left (no connection, no lock): nothing moved, the same key may be used.

    It is a `ResultUnknown`, so that whoever does not make the difference errs on the safe side. A request
    that was sent and then cut is never this.
    """


class RateLimited(GatewayUnavailable):
    """The gateway wants fewer requests. Nothing moved; ask again after `retry_after_seconds`."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"too many requests, again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


class KeyReused(Exception):
    """Our own mistake: this key was used before with other parameters. This call moved nothing."""


class EventRejected(Exception):
    """An event whose signature, age or shape is wrong; nothing in it may be believed. Answer it with 400."""


class RefundRefusal(StrEnum):
    """Why no money went back."""

    EXCEEDS_CAPTURED = "exceeds_captured"
    NOT_CAPTURED = "not_captured"
    DISPUTED = "disputed"


class EventKind(StrEnum):
    """What a gateway tells us that we act on; `other` is stored and left alone."""

    CHARGE_SUCCEEDED = "charge_succeeded"
    CHARGE_DECLINED = "charge_declined"
    CHARGE_REFUNDED = "charge_refunded"
    CHARGE_DISPUTED = "charge_disputed"
    METHOD_SAVED = "method_saved"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class CardData:
    """A card as typed, on its way through memory: never stored, logged or shown (repr hides the secrets)."""

    number: str = field(repr=False)
    exp_month: int
    exp_year: int
    security_code: str = field(repr=False)
    holder: str


@dataclass(frozen=True, slots=True)
class DebitAccount:
    """A bank account to debit, as typed. `holder` has agreed to the mandate."""

    iban: str = field(repr=False)
    holder: str


TypedMethod: TypeAlias = CardData | DebitAccount
"""What is typed on our own pages."""


@dataclass(frozen=True, slots=True)
class SavedMethod:
    """A method that the gateway keeps for us, by its `MethodFacts.reference`."""

    reference: str


Source: TypeAlias = TypedMethod | SavedMethod


@dataclass(frozen=True, slots=True)
class SetupRequest:
    """Save a method without charging it.

    `source` is None for a kind that is entered on the gateway's own page (`Capabilities.hosted`).
    `currency` is the one that the method will pay in.
    """

    key: str
    currency: str
    description: str
    metadata: Mapping[str, str]
    kind: PaymentMethodKind
    source: CardData | DebitAccount | None
    return_url: str

    def __post_init__(self) -> None:
        _check_key(self.key)
        _check_currency(self.currency)


@dataclass(frozen=True, slots=True)
class HostedRequest:
    """Open the gateway's own page for one payment; `save` keeps the method that was used there."""

    key: str
    amount_minor: int
    currency: str
    description: str
    metadata: Mapping[str, str]
    kind: PaymentMethodKind
    save: bool
    return_url: str

    def __post_init__(self) -> None:
        _check_key(self.key)
        _check_currency(self.currency)
        _check_amount(self.amount_minor)


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """One attempt to move money. `key` is ours, made and committed before this is sent, unique for ever.

    `off_session` says that the payer is not there: only a saved method can be charged so, and a gateway
    that insists on the payer answers `ActionRequired`, whose address then goes into a mail.
    """

    key: str
    amount_minor: int
    currency: str
    description: str
    metadata: Mapping[str, str]
    source: Source
    save: bool
    return_url: str
    off_session: bool

    def __post_init__(self) -> None:
        _check_key(self.key)
        _check_currency(self.currency)
        _check_amount(self.amount_minor)
        if self.off_session and not isinstance(self.source, SavedMethod):
            raise ValueError("only a saved method can be charged while the payer is away")


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Send `amount_minor` of one charge back, in the currency of the charge. `charge` is its reference."""

    key: str
    charge: str
    amount_minor: int

    def __post_init__(self) -> None:
        _check_key(self.key)
        _check_amount(self.amount_minor)


@dataclass(frozen=True, slots=True)
class MethodFacts:
    """What may be shown and kept of a method. `reference` is None unless the gateway saved it.

    `last4` and the expiry are None where the kind has none (PayPal); `holder` is the payer's e-mail
    address for PayPal, else the name.
    """

    reference: str | None
    kind: PaymentMethodKind
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    holder: str


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The money is ours. Compare the amount and the currency with what was asked.

    A set-up is a success of amount 0. `refunded_minor` and `disputed` are what has happened since.
    `at` is the gateway's time, UTC.
    """

    reference: str
    amount_minor: int
    currency: str
    at: datetime
    method: MethodFacts | None
    refunded_minor: int = 0
    disputed: bool = False


@dataclass(frozen=True, slots=True)
class Declined:
    """No money moved, and none will under this key.

    `soft`: the same method may work later with nothing changed. `method` is None when the gateway did
    not even recognise it.
    """

    code: DeclineCode
    soft: bool
    reference: str | None = None
    method: MethodFacts | None = None


@dataclass(frozen=True, slots=True)
class ActionRequired:
    """Nothing moved yet: the payer must open `url` (3-D Secure, the gateway's page). `cancel` closes it."""

    url: str
    reference: str


@dataclass(frozen=True, slots=True)
class Pending:
    """Accepted, decided later by the bank (direct debit): it can no longer be stopped, and may still fail."""

    reference: str


@dataclass(frozen=True, slots=True)
class NeverMade:
    """The gateway knows nothing under this key: the same key may be asked again.

    True of the moment only: a request that is still on its way can arrive after this answer. Look up
    no sooner than the gateway time-out after asking.
    """


Outcome: TypeAlias = Succeeded | Declined | ActionRequired | Pending | NeverMade


@dataclass(frozen=True, slots=True)
class Refunded:
    """The money is on its way back to the method that paid."""

    reference: str
    amount_minor: int
    at: datetime


@dataclass(frozen=True, slots=True)
class RefundRefused:
    """No money went back, and none will under this key."""

    code: RefundRefusal


RefundOutcome: TypeAlias = Refunded | RefundRefused


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """What a gateway told us. `payload` is stored verbatim, and nothing in it is believed: fetch `key`.

    `reference` is the charge's, `key` ours where the gateway repeats it. `id` is unique per gateway.
    """

    id: str
    kind: EventKind
    occurred_at: datetime
    reference: str
    key: str | None
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a page may offer. Pages ask this, never the gateway's name.

    `hosted`: kinds entered on the gateway's own page, through `open_hosted` (or `begin_setup` without a
    source); the other `kinds` come as a source. `off_session`: kinds that can be charged while the payer
    is away. `takes_card_here`: our own page shows the card fields. `processor_name` is printed at checkout.
    `debit_days`: about how many business days a direct debit takes to be paid; 0 where there is none.
    """

    kinds: frozenset[PaymentMethodKind]
    hosted: frozenset[PaymentMethodKind]
    off_session: frozenset[PaymentMethodKind]
    takes_card_here: bool
    refunds: bool
    processor_name: str
    debit_days: int = 0


class Gateway(Protocol):
    """Whoever moves money.

    Every request carries our key. The same key with the same parameters is one attempt, however often
    and however simultaneously it is asked, and answers as that attempt stands now; with other parameters
    it raises `KeyReused`. Asking for what `capabilities` does not offer is a `ValueError`.
    """

    @property
    def name(self) -> str:
        """The word for this gateway in settings, addresses and the payment table."""

    def capabilities(self) -> Capabilities: ...

    def begin_setup(self, request: SetupRequest) -> Outcome:
        """Save a method without charging it; `Succeeded` carries its facts with a reference.

        After `ResultUnknown` the method may be saved at the gateway and unknown here: `fetch` the key.
        """

    def open_hosted(self, request: HostedRequest) -> Outcome:
        """Open the gateway's own page; normally `ActionRequired`.

        After `ResultUnknown` a page may exist that nobody was sent to: ask again with the same key, or
        `cancel` it. No money can have moved.
        """

    def charge(self, request: ChargeRequest) -> Outcome:
        """Move money now.

        After `ResultUnknown` the money may have moved, may move, or may not: `fetch` the key.
        """

    def cancel(self, key: str) -> Outcome:
        """Make a charge that waits for the payer impossible, and say how the charge stands then.

        `Declined(WITHDRAWN)`: it can no longer succeed. Any other answer: it was too late (`Succeeded`,
        `Pending`), needless (`Declined`) or unheard of (`NeverMade`). After `ResultUnknown` it may or may
        not be closed: ask again, it is safe to repeat.
        """

    def refund(self, request: RefundRequest) -> RefundOutcome:
        """Send money back, never more than was captured in all.

        After `ResultUnknown` the money may have gone back: ask again with the same key (one refund), or
        read `refunded_minor` of the charge.
        """

    def fetch(self, key: str) -> Outcome:
        """How the attempt under our key stands, by the gateway's own books. Moves nothing, safe to repeat.

        After `ResultUnknown` we know as little as before.
        """

    def events_since(self, since: str | None, *, limit: int = 100) -> Sequence[GatewayEvent]:
        """The next events after the one whose id is `since`, in the gateway's order; None: from the first.

        An id that the gateway no longer knows counts as None: events are recognised by their id, so being
        told twice is harmless and missing one is not. Fewer than `limit` means that there are no more.
        """

    def parse_event(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> GatewayEvent:
        """One delivered event, its signature checked over the raw body. `now` is wall time.

        Raises `EventRejected` when it is forged, or signed more than 300 s before or after `now`.
        """


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= 255:
        raise ValueError("a key has 1 to 255 characters")


def _check_currency(currency: str) -> None:
    if not (len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()):
        raise ValueError("a currency is three capital letters")


def _check_amount(amount_minor: int) -> None:
    if type(amount_minor) is not int or not 0 < amount_minor < 2**63:
        raise ValueError("an amount is a positive whole number of minor units")
