"""Topic → effect. Every effect may be repeated: a worker can die after it and before saying so."""

from collections.abc import Mapping
from typing import cast

from portal.mail import sending as mail
from portal.mail import writing
from portal.mail.return_address import return_address
from portal.models import Invoice, Payment
from portal.outbox import JSON, SECRETS, Delivery, Handler
from portal.runtime import current
from portal.services.billing import vat_checks
from portal.services.invoices import pay_links, pdfs, year_archives
from portal.services.payments import charging, matching


def send_mail(delivery: Delivery) -> None:
    """Payload: template, to, locale, context; optional "secrets" and attachments [{"invoice_id", "locale"}].

    The secrets are merged into the context and wiped from the outbox afterwards; `to` may be one. The facts
    of the first invoice attached become the template's `facts`; a letter that asks to pay it has a link that
    is made here, and stands nowhere else.
    """
    payload = delivery.payload
    locale = cast(str, payload["locale"])
    context = {**_mapping(payload["context"]), **_mapping(payload.get(SECRETS) or {})}
    wanted = [_mapping(each) for each in cast("list[JSON]", payload.get("attachments") or [])]
    invoices = [Invoice.get_by_id(cast(int, each["invoice_id"])) for each in wanted]
    if invoices:
        context["facts"] = invoices[0].facts
    template = cast(str, payload["template"])
    if invoices and template in writing.ASKS_TO_PAY:
        path = pay_links.make_for_letter(invoices[0])
        context["pay_path"] = path and f"{path}?lang={locale}"
    subject, text, html = writing.render_mail(template, locale, context)
    message = mail.MailMessage(
        key=f"{delivery.topic}:{delivery.key}",
        to=cast(str, payload.get("to") or context["to"]),
        subject=subject,
        text=text,
        html=html,
        locale=locale,
        promised_at=delivery.promised_at,
        return_address=return_address(delivery.message_id, delivery.key, settings=current().settings),
        attachments=tuple(
            mail.Attachment(f"{invoice.number}.pdf", pdfs.pdf_of(invoice.id, cast(str, each["locale"])))
            for invoice, each in zip(invoices, wanted, strict=True)
        ),
    )
    mail.send(message)


def prepare_documents(delivery: Delivery) -> None:
    """Payload: invoice_id."""
    pdfs.prepare(cast(int, delivery.payload["invoice_id"]))


def prepare_year(delivery: Delivery) -> None:
    """Payload: workspace_id, year, locale. Each document that is missing becomes a promise of its own."""
    payload = delivery.payload
    year_archives.promise_missing(
        cast(int, payload["workspace_id"]), cast(int, payload["year"]), cast(str, payload["locale"])
    )


def look_up_payment(delivery: Delivery) -> None:
    """Payload: payment_id."""
    payment = Payment.get_by_id(cast(int, delivery.payload["payment_id"]))
    charging.look_up(payment, now=current().clock.now())


def check_vat_number(delivery: Delivery) -> None:
    """Payload: workspace_id, vat_number."""
    payload = delivery.payload
    vat_checks.check(
        cast(int, payload["workspace_id"]), cast(str, payload["vat_number"]), now=current().clock.now()
    )


def run_due(delivery: Delivery) -> None:
    """Do now what somebody waits for; in a crowd it waits for the next run of the clock."""
    from portal.services.renewals import run

    run.run_due(now=current().clock.now(), limit=run.BATCH)


def match_transfers(delivery: Delivery) -> None:
    """Payload: statement_ids. A large file is matched in several turns: each promises the next."""
    ids = cast("list[int]", delivery.payload["statement_ids"])
    matching.match_in_turns(ids, key=delivery.key, now=current().clock.now())


HANDLERS: dict[str, Handler] = {
    "mail": send_mail,
    "prepare_documents": prepare_documents,
    "prepare_year": prepare_year,
    "look_up_payment": look_up_payment,
    "run_due": run_due,
    "match_transfers": match_transfers,
    vat_checks.TOPIC: check_vat_number,
}


def _mapping(value: JSON) -> Mapping[str, JSON]:
    assert isinstance(value, dict)
    return value
