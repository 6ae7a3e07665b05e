"""Every sentence that a document prints, in each language, and which legal mention is due.

Plain dictionaries: a document is rendered in a worker, without a request, and reads the same for ten years.
"""

from collections.abc import Mapping
from typing import Any

DEFAULT_LANGUAGE = "en"

LABELS: dict[str, dict[str, str]] = {
    "en": {
        "invoice": "Invoice",
        "credit_note": "Credit note",
        "number": "Number",
        "issued_on": "Date of issue",
        "corrects": "Corrects invoice",
        "corrected_on": "Issued on",
        "replaces": "Replaces invoice",
        "customer_number": "Customer number",
        "order_number": "Order number",
        "workspace": "Workspace",
        "billed_to": "Billed to",
        "credited_to": "Credited to",
        "vat_number": "VAT number: {number}",
        "legal_number": "{name}: {number}",
        "register": "Registration number",
        "tax_number": "Tax number: {number}",
        "named_tax_number": "Tax number ({name}): {number}",
        "purchase_order": "Your reference",
        "description": "Description",
        "quantity": "Qty",
        "unit_price": "Unit price",
        "vat": "VAT",
        "net": "Net amount",
        "period": "From {start} to {end}",
        "total_net": "Total excluding VAT",
        "total_tax": "VAT {rate} on {net}",
        "total_reverse_charge": "VAT (reverse charge)",
        "total_untaxed": "VAT (not applicable)",
        "total_gross": "Total including VAT",
        "total_gross_untaxed": "Total",
        "paid": "Paid {how} on {date}",
        "refunded": "Refunded {how} on {date}",
        "by_card": "by {card}",
        "by_paypal": "with PayPal",
        "by_sepa_debit": "by SEPA direct debit",
        "by_bank_transfer": "by bank transfer",
        "by_balance": "from your balance",
        "to_card": "to {card}",
        "to_paypal": "to your PayPal account",
        "to_sepa_debit": "to your bank account",
        "to_bank_transfer": "to your bank account",
        "card": "card",
        "partly_from_balance": "{rest}, and {amount} from your balance",
        "partly_to_balance": "{rest}; the other {amount} is kept in your balance",
        "processor": "Payment processed by {processor}",
        "refund_processor": "Refund processed by {processor}",
        "nothing_due": "Nothing to pay",
        "cancelled": "The invoice is cancelled: nothing of it is to be paid any more",
        "credited": "Credited to your balance, which pays for what you order next",
        "replaced": "Nothing is sent back: the amount goes to invoice {number}, which replaces this one",
        "paid_from_balance": "Paid from your balance: {amount}",
        "due": "To pay: {amount}",
        "due_on": "To pay by {date}: {amount}",
        "due_by_transfer": "By bank transfer to {iban}, quoting {number}",
        "payable_on": "Due date",
        "reference": "Reference",
        "tax_in_seller_currency": (
            "VAT in {base}: {amount} (1 {base} = {rate} {currency} on {date}; source: {source})."
        ),
        "decimal_mark": ".",
        "transfer_code": "QR code for banking apps",
        "check": "Is this ours? {address}, code {code}",
        "page": "Page {page} of {pages}",
        "eu_business_reverse_charge": "Reverse charge — Article 196, Directive 2006/112/EC.",
        "eu_business_reverse_charge_FR": (
            "Autoliquidation (reverse charge) — Article 283-2 of the French tax code (CGI) / Article "
            "196, Directive 2006/112/EC."
        ),
        "outside_eu": (
            "VAT not applicable — place of supply outside the EU, Articles 44 and 58, Directive 2006/112/EC."
        ),
        "outside_eu_FR": (
            "VAT not applicable — place of supply outside the EU, Articles 259 and 259 D of the "
            "French tax code (CGI) / Articles 44 and 58, Directive 2006/112/EC."
        ),
        "special_territory": (
            "VAT not applicable — territory outside the EU VAT area, Article 6, Directive 2006/112/EC."
        ),
        "special_territory_taxed": "VAT rate that applies in the customer’s territory.",
        "eu_consumer": "VAT of the customer’s country ({country}) — Article 58, Directive 2006/112/EC.",
        "replacing": (
            "This invoice replaces invoice {number} of {date}, on which details of the buyer were wrong."
        ),
        "amends": "This credit note amends invoice {number} of {date} (Article 219, Directive 2006/112/EC).",
        "amends_FR": (
            "This credit note amends invoice {number} of {date} (Article 289, I-5 of the French tax code, "
            "CGI / Article 219, Directive 2006/112/EC)."
        ),
        "operation_FR": "Supply of services.",
        "vat_on_debits_FR": "The seller opted to pay VAT on debits.",
        "AAB_FR": "No discount for early payment.",
        "PMD_FR": (
            "Late payment: penalties at the European Central Bank’s refinancing rate plus 10 percentage "
            "points (Article L. 441-10 of the French commercial code)."
        ),
        "PMT_FR": (
            "Late payment: fixed recovery charge of {amount} (Articles L. 441-10 and D. 441-5 of the French "
            "commercial code)."
        ),
        "late_payment_FR": (
            "No discount for early payment. Late payment: penalties at the European Central Bank’s "
            "refinancing rate plus 10 percentage points, and a fixed recovery charge of {amount} "
            "(Articles L. 441-10 and D. 441-5 of the French commercial code)."
        ),
    },
    "fr": {
        "invoice": "Facture",
        "credit_note": "Avoir",
        "number": "Numéro",
        "issued_on": "Date d’émission",
        "corrects": "Rectifie la facture",
        "corrected_on": "Émise le",
        "replaces": "Remplace la facture",
        "customer_number": "Numéro de client",
        "order_number": "Numéro de commande",
        "workspace": "Espace de travail",
        "billed_to": "Facturé à",
        "credited_to": "Crédité à",
        "vat_number": "N° de TVA : {number}",
        "legal_number": "{name} : {number}",
        "register": "Numéro d’immatriculation",
        "tax_number": "Numéro fiscal : {number}",
        "named_tax_number": "Numéro fiscal ({name}) : {number}",
        "purchase_order": "Votre référence",
        "description": "Désignation",
        "quantity": "Qté",
        "unit_price": "Prix unitaire",
        "vat": "TVA",
        "net": "Montant HT",
        "period": "Du {start} au {end}",
        "total_net": "Total HT",
        "total_tax": "TVA {rate} sur {net}",
        "total_reverse_charge": "TVA (autoliquidation)",
        "total_untaxed": "TVA (non applicable)",
        "total_gross": "Total TTC",
        "total_gross_untaxed": "Total",
        "paid": "Payé {how} le {date}",
        "refunded": "Remboursé {how} le {date}",
        "by_card": "par {card}",
        "by_paypal": "par PayPal",
        "by_sepa_debit": "par prélèvement SEPA",
        "by_bank_transfer": "par virement bancaire",
        "by_balance": "avec votre solde",
        "to_card": "sur {card}",
        "to_paypal": "sur votre compte PayPal",
        "to_sepa_debit": "sur votre compte bancaire",
        "to_bank_transfer": "sur votre compte bancaire",
        "card": "carte",
        "partly_from_balance": "{rest}, et {amount} avec votre solde",
        "partly_to_balance": "{rest} ; les autres {amount} restent sur votre solde",
        "processor": "Paiement traité par {processor}",
        "refund_processor": "Remboursement traité par {processor}",
        "nothing_due": "Rien à payer",
        "cancelled": "La facture est annulée : il n’en reste rien à payer",
        "credited": "Crédité sur votre solde, qui règle vos prochaines commandes",
        "replaced": "Aucun remboursement : le montant revient à la facture {number}, qui remplace celle-ci",
        "paid_from_balance": "Payé avec votre solde : {amount}",
        "due": "À payer : {amount}",
        "due_on": "À payer avant le {date} inclus : {amount}",
        "due_by_transfer": "Par virement bancaire sur {iban}, avec la référence {number}",
        "payable_on": "Échéance",
        "reference": "Référence",
        "tax_in_seller_currency": (
            "TVA en {base} : {amount} (1 {base} = {rate} {currency} au {date} ; source : {source})."
        ),
        "decimal_mark": ",",
        "transfer_code": "Code QR pour l’appli de la banque",
        "check": "Document authentique ? {address}, code {code}",
        "page": "Page {page} sur {pages}",
        "eu_business_reverse_charge": "Autoliquidation — article 196 de la directive 2006/112/CE.",
        "eu_business_reverse_charge_FR": (
            "Autoliquidation — article 283-2 du CGI / article 196 de la directive 2006/112/CE."
        ),
        "outside_eu": (
            "TVA non applicable — prestation située hors de l’UE, articles 44 et 58 de la directive "
            "2006/112/CE."
        ),
        "outside_eu_FR": (
            "TVA non applicable — prestation située hors de l’UE, articles 259 et 259 D du CGI / "
            "articles 44 et 58 de la directive 2006/112/CE."
        ),
        "special_territory": (
            "TVA non applicable — territoire exclu du territoire TVA de l’UE, article 6 de la "
            "directive 2006/112/CE."
        ),
        "special_territory_taxed": "Taux de TVA applicable dans le territoire du client.",
        "eu_consumer": "TVA du pays du client ({country}) — article 58 de la directive 2006/112/CE.",
        "replacing": (
            "Cette facture remplace la facture {number} du {date}, dont des mentions sur le client étaient "
            "erronées."
        ),
        "amends": (
            "Cet avoir modifie la facture {number} du {date} (article 219 de la directive 2006/112/CE)."
        ),
        "amends_FR": (
            "Cet avoir modifie la facture {number} du {date} (article 289, I-5 du CGI / article 219 de la "
            "directive 2006/112/CE)."
        ),
        "operation_FR": "Prestation de services.",
        "vat_on_debits_FR": "Option pour le paiement de la taxe d’après les débits.",
        "AAB_FR": "Pas d’escompte pour paiement anticipé.",
        "PMD_FR": (
            "En cas de retard de paiement : pénalités au taux de refinancement de la BCE majoré de 10 points "
            "(article L. 441-10 du code de commerce)."
        ),
        "PMT_FR": (
            "En cas de retard de paiement : indemnité forfaitaire de recouvrement de {amount} (articles "
            "L. 441-10 et D. 441-5 du code de commerce)."
        ),
        "late_payment_FR": (
            "Pas d’escompte pour paiement anticipé. En cas de retard : pénalités au taux de "
            "refinancement de la BCE majoré de 10 points et indemnité forfaitaire de recouvrement de "
            "{amount} (articles L. 441-10 et D. 441-5 du code de commerce)."
        ),
    },
}


def language_of(locale: str) -> str:
    """The document's language for `locale` ("fr", "fr-CA", "fr_FR" alike); English where we have none."""
    language = locale.replace("-", "_").split("_")[0].lower()
    return language if language in LABELS else DEFAULT_LANGUAGE


def tax_mention(facts: Mapping[str, Any], labels: Mapping[str, str], *, country_name: str) -> str | None:
    """The sentence that the tax decision asks for; None where the seller's own rate needs no explanation.

    The reverse-charge words: Directive 2006/112/EC, article 226(11a). A French seller prints
    "Autoliquidation" in every language, as French law names that very word (CGI annexe II, 242 nonies A).
    Outside the EU: article 44 for businesses, 58 for consumers of electronic services, as in domain/tax.py.
    """
    reason = facts["tax"]["reason"]
    if reason == "special_territory" and facts["totals"]["tax_minor"]:
        reason = "special_territory_taxed"
    sentence = labels.get(f"{reason}_{facts['seller']['country']}", labels.get(reason))
    return sentence and sentence.format(country=country_name)


def earlier(facts: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Number and day of the invoice that a document names: a credit note the one that it corrects, an invoice
    the one that it replaces; None where it names none."""
    return facts.get("corrects") or facts.get("replaces")


def amendment(facts: Mapping[str, Any], labels: Mapping[str, str], *, date: str) -> str | None:
    """That a document amends or replaces an invoice, which it has to name beyond doubt; None for neither.

    `date` is that of the invoice. Directive 2006/112/EC, article 219; in France CGI, article 289, I-5.
    """
    named = earlier(facts)
    if not named:
        return None
    if "corrects" not in facts:
        return labels["replacing"].format(number=named["number"], date=date)
    sentence = labels.get(f"amends_{facts['seller']['country']}", labels["amends"])
    return sentence.format(number=named["number"], date=date)


def kept(facts: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """What becomes of the money of a credit note that sends nothing back."""
    if replaced_by := facts.get("replaced_by"):
        return labels["replaced"].format(number=replaced_by)
    return labels["cancelled" if facts.get("was_to_be_paid") else "credited"]


def terms(facts: Mapping[str, Any], labels: Mapping[str, str], *, recovery_charge: str) -> str:
    """What the seller's law asks to print whatever the tax; only French sellers so far.

    Nature of the operation, and VAT on debits where the seller opted for it: CGI annexe II, article
    242 nonies A. Late payment: code de commerce, L. 441-9 and L. 441-10, between businesses alone and on
    invoices alone.
    """
    if facts["seller"]["country"] != "FR":
        return ""
    sentences = [labels["operation_FR"]]
    if facts["seller"].get("vat_on_debits") and facts["totals"]["tax_minor"]:
        sentences.append(labels["vat_on_debits_FR"])
    if facts["kind"] == "invoice" and is_business(facts["buyer"]):
        sentences.append(labels["late_payment_FR"].format(amount=recovery_charge))
    return " ".join(sentences)


def late_payment_notes(
    facts: Mapping[str, Any], labels: Mapping[str, str], *, recovery_charge: str
) -> list[tuple[str, str]]:
    """Of a French seller's e-invoice: discount, penalties and recovery charge, each with its code.

    UNTDID 4451; the reform (XP Z12-012) asks for all three on every document.
    """
    if facts["seller"]["country"] != "FR":
        return []
    return [(code, labels[f"{code}_FR"].format(amount=recovery_charge)) for code in ("AAB", "PMD", "PMT")]


def is_business(buyer: Mapping[str, Any]) -> bool:
    """`is_business` where the facts say it; else whoever gave a VAT number."""
    return bool(buyer.get("is_business", buyer.get("vat_number")))
