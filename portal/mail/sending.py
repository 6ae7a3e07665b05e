"""Mail: one template per letter, sent by SMTP or kept as `.eml` files in the data directory.

A letter is written once, with the macros of `email/_parts.*`, and read twice: as text and as HTML.

Contexts, by template (JSON, as they stand in the outbox). Every letter to the people of a workspace has the
reader's `name` and the workspace's name (`workspace`) and `slug`. Dates are ISO text, amounts minor units
beside a `currency`; `…names` are {"en": …, "fr": …}, `interval` is month or year; `method` and `payment` are
{"method", "brand", "last4"}; `limits` are [{"limit", "allowed", "used"}] as in domain/plans.py. `path` is an
address on this site that starts with "/"; it goes under the payload's "secrets" where it holds a token.
`facts` (InvoiceFacts as JSON) comes from the attached document. `licences` is how many of a licensed product
the letter is about, null where it is about the plan of the workspace; `line_licences` is the same for each
line of `facts`. A promise that is older has neither (writing.ADDED_LATER). A copy has `ask_instead` (names of
owners), and an empty name where the address is not a member's. Those of writing.ASKS_TO_PAY have `pay_path`,
which is made when they are sent: null once nothing is to be paid.

========================= ====================================================================
already_registered        only name
magic_link, reset_link    only name; minutes, path
new_email                 only name; hours, path
new_email_taken           only name
email_changed             only name; at (ISO instant), email (the new address), days, path
security_notice           only name; at (ISO instant)
password_changed          only name; at (ISO instant)
invitation                inviter, workspace, hours, path; no name
welcome                   trial_ends_on (empty: the trial has no end; null: there is none)
welcome_back              minutes, path
owner_made                by (a name)
workspace_deleted         by (a name)
became_guests                plan_names, limit (users of the plan), people (names of those who are guests now)
made_guest                plan_names, limit

order_confirmed           facts, line_licences, assigns_licences (members are to be given some)
invoice_ahead             number, plan_names, licences, open_minor, currency, due_on (the last day to pay),
                          reference (of the transfer), line_licences
invoice_reminder          number, open_minor, currency, due_on, reference, is_late, blocked_on (or null),
                          is_blocked
invoice_paid              number, total_minor, currency, method (null: nothing that a gateway moved), until
transfer_received         total_minor, currency, booked_on, payer, covered, kept_minor
transfer_taken_back       total_minor, currency, booked_on, taken_back_on, payer
transfer_match_undone     total_minor, currency, booked_on, opened (of each: number, left_minor, due_on)
paid_from_balance         used_minor, currency, covered (of each: number, covered_minor, left_minor)
invoice_withdrawn         number, credit_note (its number), plan_names, licences, is_cancelled
invoice_corrected         number, replaced (the number of the old one), credit_note (its number), open_minor
                          (0: paid), currency, due_on and reference (null where it is paid)
payment_failed            order, description (names), total_minor, currency, payment, reason (a
                          decline code)
payment_to_confirm        order, description (names), total_minor, currency

trial_ending              due_on, users, recommended (names; null: no plan is large enough)
trial_last_day            due_on
trial_over                due_on, warned_on (from when on it may be deleted, after a warning)
trial_extended            due_on
product_trial_started     product (its code), product_names, plan_names, quantity, trial_until,
                          assigns_licences
product_trial_ending      product_names, trial_until (the last usable day); of a licensed product
product_trial_last_day    as above
product_trial_over        as above
due_soon                  due_on, plan_names, licences, interval, net_minor (of the next period) and
                          currency (null where a problem leaves none)
late                      due_on, blocked_on (the first day without access), plan_names, licences
blocked                   due_on, warned_on (said of the plan only), plan_names, licences
deletion_ahead            due_on, delete_on, has_documents (invoices or credit notes)

renewal_ahead             renew_on, plan_names, licences, interval, total_minor, tax_minor and currency
                          (null where a problem leaves none), from_balance_minor of it, method (or null),
                          limits, problem (null, "too_small", "not_sold", "no_method")
price_rise                renew_on, plan_names, licences, interval, old_minor, new_minor (net), currency
renewed                   plan_names, licences, interval, total_minor, currency, method, due_on, facts,
                          line_licences
renewal_failed            plan_names, licences, total_minor, currency, method (null where nothing was
                          asked), reason (a decline code or a problem), next_try_on (or null),
                          usable_until (the last usable day, or null where it is past),
                          asks_new_card, limits
renewal_to_confirm        plan_names, licences, total_minor, currency, method, order, confirm_until
auto_renewal_on           renew_on, total_minor, tax_minor, currency, plan_names, licences, interval, method
auto_renewal_off          due_on, plan_names, licences

plan_scheduled            plan_names, interval, licences, due_on
plan_schedule_withdrawn   plan_names (the plan that was scheduled), licences, due_on, renews
plan_begun                plan_names (a free plan)
cancelled                 product (its code), product_names, plan_names, quantity (licences), ends_on (the
                          last usable day; null: it has ended at once), dropped (whether a scheduled
                          change will not begin)
cancellation_taken_back   product, product_names, plan_names, quantity, due_on, interval, renews (by itself),
                          renew_on, total_minor and tax_minor (null where no charge was told), currency,
                          method
licence_key_replaced      product, product_names, by (a name), was_activated; never the key
refunded                  total_minor, currency, method, credit_note (its number), kept_minor (in the
                          balance), plan_names (what the workspace has again), due_on (or null),
                          ended_auto_renewal
products_refunded         total_minor, currency, method, credit_note, kept_minor, ended_auto_renewal;
                          left: of each line sold_names, has_ended, plan_names (what the workspace
                          has again), licences (or null), due_on (or null)
refund_refused            total_minor, currency, method, reason (why the gateway refused it)
refund_to_handle          as above; by (a name), customer_number, order, invoice (their numbers), payment
                          (its key); to operators
credit_posted             amount_minor, currency, reason (of an operator, word for word), balance_minor,
                          covered (as of paid_from_balance)
credit_taken_back         as credit_posted, without covered

contact_confirmation      by (who added it), days, path; name is empty for an address
contact_bounced           address, reason (the far server's words, or empty), is_contact

nonprofit_received        organisation; slug null where it came without a workspace
nonprofit_accepted        organisation; slug as above
nonprofit_refused         organisation, reason; slug as above
nonprofit_to_decide       organisation, request_id; to operators
========================= ====================================================================
"""

import contextlib
import hashlib
import os
import smtplib
import ssl
import tempfile
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path

import idna

from portal.outbox import TopicAway
from portal.runtime import current
from portal.settings import SmtpServer, smtp_server

from .writing import one_line

SMTP_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Attachment:
    filename: str
    content: bytes
    media_type: str = "application/pdf"


@dataclass(frozen=True, slots=True)
class MailMessage:
    """One letter to one reader. `key` makes its Message-ID, so a repeat is recognised as the same letter.

    `return_address` is where reports about it go (return_address.py); empty for the sender's own.
    """

    key: str
    to: str
    subject: str
    text: str
    html: str
    locale: str
    promised_at: datetime
    attachments: tuple[Attachment, ...] = ()
    return_address: str = ""


# --- sending --------------------------------------------------------------------------------------


def compose(message: MailMessage, *, mail_from: str, wall: datetime) -> EmailMessage:
    """The letter with its headers. Raises ValueError for an address that is not exactly one address."""
    to = for_the_wire(message.to)
    email = EmailMessage(policy=SMTP.clone(cte_type="7bit", utf8=not to.isascii()))
    sender_name, sender = parseaddr(mail_from)
    email["From"] = Address(display_name=one_line(sender_name), addr_spec=for_the_wire(sender))
    email["To"] = _one_address(to)
    email["Subject"] = one_line(message.subject)
    email["Date"] = format_datetime(wall)
    email["Message-ID"] = f"<{digest(message.key)}@{own_domain(mail_from)}>"
    email["Auto-Submitted"] = "auto-generated"
    email.set_content(message.text)
    email.add_alternative(message.html, subtype="html")
    for attachment in message.attachments:
        main_type, _slash, subtype = attachment.media_type.partition("/")
        email.add_attachment(
            attachment.content, maintype=main_type, subtype=subtype, filename=one_line(attachment.filename)
        )
    # Last, since each part added takes the Content- headers of the whole for itself.
    email["Content-Language"] = message.locale
    return email


def _one_address(address: str) -> Address:
    """Raises ValueError, or the library's own IndexError, for anything but exactly one address."""
    local, _at, domain = address.rpartition("@")
    if local.isascii():
        return Address(addr_spec=address)
    # The library takes such letters only in an address that it need not read: another one like it is read.
    Address(addr_spec="".join(sign if sign.isascii() else "x" for sign in address))
    return Address(username=local, domain=domain)


def for_the_wire(address: str) -> str:
    """The address with its domain as every mail server takes it: `bob@xn--mller-kva.example`.

    What stands before the @ cannot be written otherwise (SMTPUTF8). Raises ValueError for a domain that
    IDNA 2008 does not know.
    """
    local, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return local + at + idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValueError(f"no domain for mail: {domain[:80]!r} ({error})") from error


def own_domain(mail_from: str) -> str:
    """The domain that we write from, which is also the name we greet mail servers with."""
    return for_the_wire(parseaddr(mail_from)[1]).rpartition("@")[2]


def digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class AddressNotCarried(smtplib.SMTPException):
    """The mail server cannot take the address at all; the text says why, for the operators."""


def send(message: MailMessage) -> None:
    """Hand the letter over, once per call. After an exception it may or may not have gone out.

    Raises TopicAway where no letter can go out, and OSError or smtplib.SMTPException, AddressNotCarried among
    them, where this one cannot.
    """
    settings, wall = current().settings, current().clock.wall()
    email = compose(message, mail_from=settings.mail_from, wall=wall)
    if settings.smtp_url is None:
        _write_file(settings.data_dir / "mail", message, bytes(email))
    else:
        _send_by_smtp(
            settings.smtp_url, email, mail_from=settings.mail_from, return_address=message.return_address
        )


def connect(server: SmtpServer, *, own_name: str) -> smtplib.SMTP:
    """A connection as the URL asks for it, not signed in yet; we greet as `own_name`.

    Raises OSError or smtplib.SMTPException.
    """
    if server.scheme == "smtps":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(server.host, server.port, own_name, timeout=SMTP_SECONDS, context=context)
    connection = smtplib.SMTP(server.host, server.port, own_name, timeout=SMTP_SECONDS)
    if server.scheme == "starttls":
        try:
            connection.starttls(context=ssl.create_default_context())
        except (OSError, smtplib.SMTPException):
            connection.close()
            raise
    return connection


def _signed_in(server: SmtpServer, *, own_name: str) -> smtplib.SMTP:
    """A connection that takes letters. Raises TopicAway: then no letter can go out."""
    try:
        connection = connect(server, own_name=own_name)
        try:
            if server.user:
                connection.login(server.user, server.password)
        except (OSError, smtplib.SMTPException):
            connection.close()
            raise
    except (OSError, smtplib.SMTPException) as error:
        raise TopicAway("the mail server is away") from error
    return connection


def _send_by_smtp(url: str, email: EmailMessage, *, mail_from: str, return_address: str) -> None:
    connection = _signed_in(smtp_server(url), own_name=own_domain(mail_from))
    try:
        try:
            # Uses SMTPUTF8 by itself where an address needs it.
            connection.send_message(email, from_addr=return_address or None)
        except smtplib.SMTPNotSupportedError as error:
            raise AddressNotCarried(
                "The mail server does not offer SMTPUTF8, without which it takes no address with letters "
                "such as é before the @. The reader needs another address, or PORTAL_SMTP_URL another server."
            ) from error
        # The server has taken the letter: a rude goodbye must not send it twice.
        with contextlib.suppress(OSError, smtplib.SMTPException):
            connection.quit()
    finally:
        connection.close()


def _write_file(folder: Path, message: MailMessage, content: bytes) -> None:
    """One file per promise, whole or not there; a repeat replaces it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{message.promised_at:%Y%m%dT%H%M%S.%f}Z-{digest(message.key)}.eml"
    handle, draft = tempfile.mkstemp(dir=folder, prefix=".draft-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(draft).replace(folder / name)
