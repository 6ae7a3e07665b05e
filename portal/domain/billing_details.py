"""Whom to invoice: the one list of billing details, for forms, orders, documents and the table alike."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import cache

from .addresses import format_address
from .vocabulary import VatStatus

LONGEST_PURCHASE_ORDER = 300
"""Of the buyer's own text that documents print."""


@dataclass(frozen=True, slots=True)
class Details:
    """As somebody typed them, each checked. A person has no company, VAT number or tax number.

    `tax_number`: of a business outside the VAT systems that we know; it changes no tax. `legal_number`,
    `legal_status`: of legal_numbers.py. `electronic_address`: where e-invoices reach it, `0225:` and more.
    `purchase_order`: the buyer's own reference or remarks, on documents as it was typed; it may have lines.
    """

    is_business: bool
    company_name: str
    vat_number: str
    vat_status: VatStatus
    first_name: str
    last_name: str
    street: str
    street2: str
    postal_code: str
    city: str
    region: str
    country: str
    email: str
    tax_number: str = ""
    legal_number: str = ""
    legal_status: str = ""
    electronic_address: str = ""
    purchase_order: str = ""

    @classmethod
    def of(cls, row: object) -> "Details":
        """Those of anything that has all of them as attributes, such as the workspace's own row."""
        return cls(*(getattr(row, name) for name in _names()))

    def beside(self, kept: "Details") -> "Details":
        """With what the form of the checkout does not ask: the remarks, and what is of the same business."""
        mine = replace(
            self,
            purchase_order=self.purchase_order or kept.purchase_order,
            vat_status=kept.vat_status if self.vat_number == kept.vat_number else self.vat_status,
        )
        if (self.is_business, self.country, self.company_name) != (True, kept.country, kept.company_name):
            return mine
        return replace(
            mine,
            legal_number=self.legal_number or kept.legal_number,
            legal_status=self.legal_status or kept.legal_status,
            electronic_address=self.electronic_address or kept.electronic_address,
        )

    @classmethod
    def names(cls) -> Iterable[str]:
        return _names()

    def as_ordered(self, locale: str) -> dict[str, object]:
        """The shape in which an order keeps them: with the address as its country writes it."""
        own = {name: getattr(self, name) for name in _names()}
        return {**own, "address_lines": list(format_address(self, locale))}


@cache
def _names() -> tuple[str, ...]:
    return tuple(field.name for field in fields(Details))


def first_and_last(name: str) -> tuple[str, str]:
    """A person's name as an account has it, for the two fields of an invoice: its first word, and the rest.

    Both are empty where the account has an e-mail address for a name.
    """
    if "@" in name:
        return "", ""
    first, _blank, rest = " ".join(name.split()).partition(" ")
    return first, rest
