"""The cards, PayPal addresses and bank accounts that the sandbox knows.

The one list: the sandbox's page and README show it from here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from portal.domain.vocabulary import CardBrand, DeclineCode, PaymentMethodKind
from portal.gateways.base import CardData, DebitAccount
from portal.gateways.cards import (
    card_brand,
    expires_before,
    normalise_number,
    security_code_length,
    without_separators,
)


class Behaviour(StrEnum):
    """What a known card, address or account does; the only trace of its number in the ledger."""

    PAID = "paid"
    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED = "expired"
    DECLINED_WHEN_CHARGED = "declined_when_charged"
    ASKS_ONCE = "asks_once"
    ASKS_ALWAYS = "asks_always"
    SILENT_CHARGED = "silent_charged"
    SILENT_NOT_CHARGED = "silent_not_charged"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True)
class Magic:
    """One entry. `value` is normalised, `display` grouped as printed, `description` an English sentence."""

    value: str
    behaviour: Behaviour
    description: str
    brand: CardBrand | None = None

    @property
    def last4(self) -> str:
        return self.value[-4:]

    @property
    def display(self) -> str:
        if "@" in self.value:
            return self.value
        if self.brand is CardBrand.AMEX:
            return f"{self.value[:4]} {self.value[4:10]} {self.value[10:]}"
        return " ".join(self.value[start : start + 4] for start in range(0, len(self.value), 4))


@dataclass(frozen=True, slots=True)
class Account:
    """A recognised card, PayPal account or bank account. `holder` is the e-mail address for PayPal."""

    kind: PaymentMethodKind
    behaviour: Behaviour
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    holder: str


def _card(number: str, behaviour: Behaviour, description: str) -> Magic:
    return Magic(number, behaviour, description, brand=card_brand(number))


MAGIC_CARDS: tuple[Magic, ...] = (
    _card("4242424242424242", Behaviour.PAID, "Paid."),
    _card("5555555555554444", Behaviour.PAID, "Paid."),
    _card("378282246310005", Behaviour.PAID, "Paid."),
    _card("3566002020360505", Behaviour.PAID, "Paid."),
    _card("6011111111111117", Behaviour.PAID, "Paid."),
    _card("4000000000000002", Behaviour.DECLINED, "Declined."),
    _card("4000000000009995", Behaviour.INSUFFICIENT_FUNDS, "Not enough funds, paid at the second retry."),
    _card("4000000000000069", Behaviour.EXPIRED, "Declined: the card has expired."),
    _card("4000000000000341", Behaviour.DECLINED_WHEN_CHARGED, "Can be saved, then declined when charged."),
    _card("4000002500003155", Behaviour.ASKS_ONCE, "Asks for 3-D Secure, and not again once it is saved."),
    _card("4000000000003220", Behaviour.ASKS_ALWAYS, "Asks for 3-D Secure on every charge."),
    _card("4000000000000119", Behaviour.SILENT_CHARGED, "Gives no answer for 30 seconds, and is charged."),
    _card("4000000000000127", Behaviour.SILENT_NOT_CHARGED, "Gives no answer, and is not charged."),
    _card("4000000000000259", Behaviour.DISPUTED, "Paid, then disputed a day later."),
)

MAGIC_PAYPAL: tuple[Magic, ...] = (
    Magic("paid@paypal.example", Behaviour.PAID, "Paid."),
    Magic("declined@paypal.example", Behaviour.DECLINED, "Declined."),
    Magic(
        "funds@paypal.example", Behaviour.INSUFFICIENT_FUNDS, "Not enough funds, paid at the second retry."
    ),
    Magic("expired@paypal.example", Behaviour.EXPIRED, "Declined: the card has expired."),
    Magic(
        "later@paypal.example", Behaviour.DECLINED_WHEN_CHARGED, "Can be saved, then declined when charged."
    ),
    Magic("asks@paypal.example", Behaviour.ASKS_ONCE, "Asks for 3-D Secure, and not again once it is saved."),
    Magic("asks-always@paypal.example", Behaviour.ASKS_ALWAYS, "Asks for 3-D Secure on every charge."),
    Magic(
        "silent@paypal.example", Behaviour.SILENT_CHARGED, "Gives no answer for 30 seconds, and is charged."
    ),
    Magic(
        "silent-unpaid@paypal.example", Behaviour.SILENT_NOT_CHARGED, "Gives no answer, and is not charged."
    ),
    Magic("disputed@paypal.example", Behaviour.DISPUTED, "Paid, then disputed a day later."),
)

# German form with bank code 99999999: no bank code begins with 9, the check digits are right (ISO 13616).
MAGIC_IBANS: tuple[Magic, ...] = (
    Magic("DE46999999990000004242", Behaviour.PAID, "Paid a day later."),
    Magic("DE66999999990000000002", Behaviour.DECLINED, "Declined a day later."),
    Magic(
        "DE12999999990000009995", Behaviour.INSUFFICIENT_FUNDS, "Not enough funds, paid at the second retry."
    ),
    Magic("DE03999999990000000069", Behaviour.EXPIRED, "Declined a day later: the mandate has expired."),
    Magic(
        "DE31999999990000000341", Behaviour.DECLINED_WHEN_CHARGED, "Can be saved, then declined when charged."
    ),
    Magic("DE04999999990000003155", Behaviour.ASKS_ONCE, "Asks to confirm the mandate once it is entered."),
    Magic("DE92999999990000003220", Behaviour.ASKS_ALWAYS, "Asks to confirm every debit."),
    Magic(
        "DE11999999990000000119",
        Behaviour.SILENT_CHARGED,
        "Gives no answer for 30 seconds, and is paid a day later.",
    ),
    Magic("DE86999999990000000127", Behaviour.SILENT_NOT_CHARGED, "Gives no answer, and is not charged."),
    Magic("DE14999999990000000259", Behaviour.DISPUTED, "Paid a day later, then disputed a day after that."),
)


_CARDS, _PAYPAL, _IBANS = (
    {entry.value: entry for entry in entries} for entries in (MAGIC_CARDS, MAGIC_PAYPAL, MAGIC_IBANS)
)


def read_card(card: CardData, *, on: date) -> tuple[Account | None, DeclineCode | None]:
    """The known card and why it cannot be used, if so. Date and code count once the number is known."""
    magic = _CARDS.get(normalise_number(card.number))
    if magic is None:
        return None, DeclineCode.CARD_NOT_ACCEPTED
    account = Account(
        kind=PaymentMethodKind.CARD,
        behaviour=magic.behaviour,
        brand=magic.brand,
        last4=magic.last4,
        exp_month=card.exp_month,
        exp_year=card.exp_year,
        holder=card.holder,
    )
    if expires_before(card.exp_month, card.exp_year, on):
        return account, DeclineCode.EXPIRED_CARD
    code = card.security_code
    if not (code.isascii() and code.isdigit() and len(code) == security_code_length(magic.brand)):
        return account, DeclineCode.INVALID_SECURITY_CODE
    return account, None


def read_debit_account(debit: DebitAccount) -> tuple[Account | None, DeclineCode | None]:
    """The known bank account; None with the refusal for every other."""
    magic = _IBANS.get(without_separators(debit.iban).upper())
    if magic is None:
        return None, DeclineCode.ACCOUNT_NOT_ACCEPTED
    account = Account(
        kind=PaymentMethodKind.SEPA_DEBIT,
        behaviour=magic.behaviour,
        brand=None,
        last4=magic.last4,
        exp_month=None,
        exp_year=None,
        holder=debit.holder,
    )
    return account, None


def read_paypal(email: str) -> tuple[Account | None, DeclineCode | None]:
    """The known PayPal account; None with the refusal for every other address."""
    magic = _PAYPAL.get(email.strip().lower())
    if magic is None:
        return None, DeclineCode.ACCOUNT_NOT_ACCEPTED
    account = Account(
        kind=PaymentMethodKind.PAYPAL,
        behaviour=magic.behaviour,
        brand=None,
        last4=None,
        exp_month=None,
        exp_year=None,
        holder=magic.value,
    )
    return account, None


def source_facts(source: CardData | DebitAccount) -> Sequence[object]:
    """What tells one presented source from another, without a code and without a number that is refused."""
    if isinstance(source, CardData):
        card = _CARDS.get(normalise_number(source.number))
        return [] if card is None else [card.value, source.exp_month, source.exp_year, source.holder]
    account = _IBANS.get(without_separators(source.iban).upper())
    return [] if account is None else [account.value, source.holder]
