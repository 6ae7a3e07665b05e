"""Pay links: one for each letter, kept as a hash, until they are withdrawn or the invoice has been paid."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from portal import outbox
from portal.database.connecting import transaction
from portal.domain.errors import LinkUnusable, NothingDue, OrderAlreadyPlaced
from portal.domain.vocabulary import LinkPurpose, OrderState, PaymentMethodKind, PaymentState
from portal.mail import mailbox
from portal.models import Invoice, Link, OutboxMessage, Payment, PaymentMethod, Workspace
from portal.runtime import current
from portal.services.checkout import open_invoices
from portal.services.checkout.open_invoices import PaidInPart
from portal.services.invoices import pay_links
from portal.services.payments import charging, on_account
from portal.services.people import links
from portal.services.renewals import run
from portal.services.tokens import hash_of
from portal.services.upkeep import housekeeping
from portal.services.workspace import deletion
from portal.worker.handlers import HANDLERS
from tests import paying
from tests.books import assert_books_clean
from tests.factories import a_contact, owner_of
from tests.passing import pass_days
from tests.transferring import a_pay_link, bring, camt, ordered_on_account
from tests.transferring import paying as transferred

PAY_PATH = re.compile(r"http://127\.0\.0\.1:8000(/pay/[A-Za-z0-9_-]{43})\?lang=(en|fr)")
BOOKS = "books@accountant.test"
SHOWN = "21480 EUR"


@pytest.fixture
def invoice(place):
    return ordered_on_account(place)


def now():
    return current().clock.now()


def token(path):
    return path.rpartition("/")[2]


def works(path):
    try:
        return bool(pay_links.find(token(path), now=now()))
    except LinkUnusable:
        return False


def by_link(path, number=paying.PAID, *, kind=PaymentMethodKind.CARD, shown=SHOWN):
    return open_invoices.pay_by_link(
        token(path),
        kind=kind,
        card=paying.a_card(number) if kind == PaymentMethodKind.CARD else None,
        shown=shown,
        return_url=lambda way_back: f"http://127.0.0.1:8000/pay/{way_back}",
        now=now(),
    )


def mailed(site):
    """The letters with a pay link: to, link, language; the newest first."""
    with site.app_context():
        outbox.drain(wall=current().clock.wall, lease_seconds=60, handlers=HANDLERS)
    folder = current().settings.data_dir
    for summary in mailbox.read_mailbox(folder):
        letter = mailbox.read_mail(folder, summary.name)
        found = set(PAY_PATH.findall(letter.text))
        assert found == set(PAY_PATH.findall(letter.html)), "text and HTML say the same"
        for path, language in found:
            yield letter.to, path, language


# --- letters --------------------------------------------------------------------------------------


@pytest.mark.engine("sqlite")
def test_each_reader_has_a_link_of_their_own_in_their_language(place, invoice, bare_site):
    a_contact(place.workspace, BOOKS, language="fr")
    pass_days(current().clock, 23)
    run.run_due(now=now())
    found = list(mailed(bare_site))
    assert {(to, language) for to, _path, language in found} == {
        (owner_of(place.workspace).email, "en"),
        ("compta@acme.example", "en"),
        (BOOKS, "fr"),
    }
    paths = [path for _to, path, _language in found]
    assert len(paths) == len(set(paths)) > 3, "the order's letters and the reminder's"
    assert all(works(path) for path in paths)
    kept = {link.token_hash for link in Link.select().where(Link.purpose == LinkPurpose.PAY)}
    assert kept == {hash_of(token(path)) for path in paths}
    told = "".join(str(row.payload) for row in OutboxMessage.select())
    assert not any(token(path) in told for path in paths), "it stands in the letter alone"


@pytest.mark.engine("sqlite")
def test_a_letter_that_leaves_after_the_payment_has_none(place, invoice, bare_site):
    bring(camt(transferred(invoice)))
    assert list(mailed(bare_site)) == []
    assert not Link.select().exists()


@pytest.mark.engine("sqlite")
def test_a_letter_that_was_parked_is_sent_with_a_link_all_the_same(place, invoice, bare_site):
    """It is no secret of the outbox, which would be wiped and the letter lost with it."""
    wall = current().clock.wall()
    asks = OutboxMessage.select().where(OutboxMessage.topic == "mail")
    OutboxMessage.update(parked_at=wall, attempts=53).execute()
    again, given_up = in_transaction(lambda: outbox.try_again([each.id for each in asks], wall=wall))
    assert (again > 0, given_up) == (True, 0)
    assert len(list(mailed(bare_site))) == again


def in_transaction(act):
    with transaction():
        return act()


# --- paying ---------------------------------------------------------------------------------------


def test_whoever_has_it_pays_the_whole_and_nothing_is_saved(place, invoice):
    path = a_pay_link(invoice)
    payment = by_link(path)
    assert (payment.state, payment.amount_minor, payment.by_link) == (PaymentState.SUCCEEDED, 21480, True)
    assert (payment.payer_name, payment.payer_email) == ("Jeanne Martin", ""), "as the card says"
    assert PaymentMethod.select().count() == 0
    assert on_account.open_of(place.workspace) == []
    with pytest.raises(NothingDue):
        by_link(path)
    assert [charge.amount_minor for charge in paying.paid_charges()] == [21480]
    assert_books_clean()


def test_the_gateway_sends_the_payer_back_with_a_link_of_a_day(place, invoice, clock):
    path = a_pay_link(invoice)
    payment = by_link(path, paying.ASKS_ONCE)
    assert payment.state == PaymentState.ACTION_REQUIRED
    challenge = paying.the_sandbox().challenge(payment.action_url.rpartition("/")[2])
    back = challenge.return_url
    assert token(path) not in back
    assert pay_links.find(token(back), now=now()).is_way_back
    with pytest.raises(OrderAlreadyPlaced):
        by_link(path)
    clock.advance(days=1)
    assert (works(back), works(path)) == (False, True)


def test_paypal_is_paid_on_its_page(place, invoice):
    payment = by_link(a_pay_link(invoice), kind=PaymentMethodKind.PAYPAL)
    assert payment.state == PaymentState.ACTION_REQUIRED
    reference = payment.action_url.rpartition("/")[2]
    paying.the_sandbox().answer_hosted(reference, email="paid@paypal.example", confirmed=True)
    payment = charging.look_up(Payment.get_by_id(payment.id), now=now())
    assert payment.state == PaymentState.SUCCEEDED
    assert PaymentMethod.select().count() == 0
    assert_books_clean()


def test_what_a_bank_took_back_is_not_charged_beside_what_a_card_has_paid(place, invoice):
    """A transfer has paid a part and a card the rest: only the part is open again."""
    line = transferred(invoice, 10_000, end_to_end="A")
    bring(camt(line))
    path = a_pay_link(invoice)
    by_link(path, shown="11480 EUR")
    assert on_account.open_of(place.workspace) == []
    taken_back = replace(line, is_debit=True, is_return=True)
    bring(camt(taken_back, number="S-2", opening=10_000))
    with pytest.raises(PaidInPart):
        by_link(path, shown="10000 EUR")
    bring(camt(transferred(invoice, 10_000, end_to_end="B"), number="S-3", opening=0))
    assert on_account.open_of(place.workspace) == []
    assert_books_clean()


# --- its end --------------------------------------------------------------------------------------


def test_it_ends_sixty_days_after_the_payment(place, invoice, clock):
    path = a_pay_link(invoice)
    clock.advance(days=200)
    assert works(path), "as long as it is to be paid"
    by_link(path)
    clock.advance(days=59, hours=23)
    assert works(path)
    clock.advance(hours=1)
    assert not works(path)
    assert housekeeping.sweep(wall=now() + timedelta(days=8))["links"] == 2


def test_withdrawn_every_link_to_it_ends_and_no_other(place, invoice):
    other = ordered_elsewhere()
    first, second, foreign = a_pay_link(invoice), a_pay_link(invoice), a_pay_link(other)
    assert pay_links.withdraw(place.workspace, invoice, now=now())
    assert [works(path) for path in (first, second, foreign)] == [False, False, True]
    with pytest.raises(LinkUnusable):
        by_link(first)
    assert not pay_links.withdraw(place.workspace, invoice, now=now())
    assert paying.paid_charges() == []


def ordered_elsewhere():
    return ordered_on_account(paying.a_place("Zenith", owner="Ada Roux"))


def test_a_new_one_ends_those_before(place, invoice):
    before = a_pay_link(invoice)
    new = pay_links.replace(place.workspace, invoice, now=now())
    assert (works(before), works(new)) == (False, True)


def test_no_link_of_another_kind_pays(place, invoice):
    magic, _link = in_transaction(lambda: links.make_link(owner_of(place.workspace), LinkPurpose.MAGIC))
    assert not works(magic)
    with pytest.raises(LinkUnusable):
        links.open_link(token(a_pay_link(invoice)), LinkPurpose.MAGIC)


def test_a_deleted_workspace_has_none(place, invoice, clock):
    path = a_pay_link(invoice)
    by_link(path)
    deletion.delete_by_owner(place, now=now())
    assert not works(path)
    assert not Link.select().where(Link.invoice.is_null(False)).exists()
    assert Workspace.get_by_id(place.workspace.id).deleted_at is not None


def test_what_is_cancelled_says_so_for_a_while(place, invoice):
    path = a_pay_link(invoice)
    Invoice.update(remind_on=None).execute()
    invoice.order.state = OrderState.WITHDRAWN
    invoice.order.save()
    in_transaction(lambda: pay_links.end_after_settling(invoice, now=now()))
    assert works(path)
    with pytest.raises(NothingDue):
        by_link(path)
