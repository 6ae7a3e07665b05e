"""Why money did not move or a method was not saved, and what to do about it: one table for page and mail."""

from dataclasses import dataclass

from portal.domain.vocabulary import DeclineCode, PaymentMethodKind

from .i18n import Sentence
from .i18n import lazy_gettext as _l


@dataclass(frozen=True, slots=True)
class DeclineWords:
    """`reason`: what happened, to a payment or to saving a method. `advice`: what the payer can do now."""

    reason: Sentence
    advice: Sentence


_OTHER_CARD = _l("Use another card.")
_OTHER_METHOD = _l("Use another payment method.")
_AGAIN = _l("You can try again.")
_WORDS = {
    DeclineCode.DECLINED: DeclineWords(
        _l("Your bank declined the card and did not say why."), _l("Use another card, or contact your bank.")
    ),
    DeclineCode.INSUFFICIENT_FUNDS: DeclineWords(
        _l("There is not enough money in the account."), _l("Try again later, or use another card.")
    ),
    DeclineCode.EXPIRED_CARD: DeclineWords(_l("The card has expired."), _OTHER_CARD),
    DeclineCode.MANDATE_EXPIRED: DeclineWords(_l("The direct debit mandate has expired."), _OTHER_METHOD),
    DeclineCode.INVALID_SECURITY_CODE: DeclineWords(
        _l("The security code is wrong."), _l("Check it and try again.")
    ),
    DeclineCode.AUTHENTICATION_FAILED: DeclineWords(_l("It was not confirmed with your bank."), _AGAIN),
    DeclineCode.REFUSED_BY_PAYER: DeclineWords(_l("It was not confirmed."), _AGAIN),
    DeclineCode.CARD_NOT_ACCEPTED: DeclineWords(_l("This kind of card is not accepted."), _OTHER_CARD),
    DeclineCode.ACCOUNT_NOT_ACCEPTED: DeclineWords(_l("This account is not accepted."), _OTHER_METHOD),
    DeclineCode.METHOD_GONE: DeclineWords(_l("The payment method no longer exists."), _OTHER_METHOD),
    DeclineCode.UNSUPPORTED_CURRENCY: DeclineWords(
        _l("The payment method cannot pay in this currency."), _l("Choose another currency.")
    ),
    DeclineCode.WITHDRAWN: DeclineWords(_l("You left before it was confirmed."), _AGAIN),
    DeclineCode.NEVER_MADE: DeclineWords(_l("The request did not reach the bank."), _AGAIN),
}
_WORDS_OF_NO_CARD = {
    DeclineCode.DECLINED: DeclineWords(
        _l("The payment method was declined, and nobody told us why."),
        _l("Use another payment method, or contact your bank."),
    ),
    DeclineCode.INSUFFICIENT_FUNDS: DeclineWords(
        _l("There is not enough money in the account."), _l("Try again later, or use another payment method.")
    ),
    DeclineCode.EXPIRED_CARD: DeclineWords(_l("The payment method has expired."), _OTHER_METHOD),
}


def decline_words(code: str, kind: str = PaymentMethodKind.CARD) -> DeclineWords:
    """The words of a stored decline code; one that this version does not know is a plain decline.

    `kind` is that of the method, since not everything is a card.
    """
    known = DeclineCode(code) if code in set(DeclineCode) else DeclineCode.DECLINED
    if kind != PaymentMethodKind.CARD and known in _WORDS_OF_NO_CARD:
        return _WORDS_OF_NO_CARD[known]
    return _WORDS[known]


def decline_reason(code: str, kind: str = PaymentMethodKind.CARD) -> str:
    return str(decline_words(code, kind).reason)


def decline_sentence(code: str, kind: str = PaymentMethodKind.CARD) -> str:
    """What happened and what to do about it."""
    words = decline_words(code, kind)
    return f"{words.reason} {words.advice}"
