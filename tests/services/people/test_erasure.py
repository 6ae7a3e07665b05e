"""One person is erased: nothing of them is left but on documents, and everybody else goes on as before."""

import json

import pytest

from portal.database.connecting import transaction
from portal.domain.errors import QuoteChanged
from portal.domain.vocabulary import MemberStatus, PaymentState, Role
from portal.models import (
    AuditEntry,
    BillingDetails,
    CartLine,
    Contact,
    Invoice,
    Licence,
    Link,
    Member,
    MethodSetup,
    NonprofitRequest,
    Order,
    OutboxMessage,
    Payment,
    PaymentMethod,
    Person,
    Refund,
    Subscription,
)
from portal.services import audit
from portal.services import letters as services_letters
from portal.services.billing import contacts
from portal.services.members import invitations
from portal.services.people import erasure, personal_data
from portal.services.renewals import placing
from portal.services.renewals import run as renewals_run
from portal.services.subscriptions import agreement
from portal.services.workspace import deletion
from tests import paying
from tests.books import broken_books
from tests.factories import (
    a_member,
    a_nonprofit_request,
    a_person,
    a_workspace,
    letters,
    mailed_path,
    owner_of,
    seen_by,
)
from tests.services.workspace.test_deletion import at_once, found
from tests.traces import ADDRESS, CANARIES, leave_traces


def erase(clock, email=ADDRESS):
    return erasure.erase(email, now=clock.now())


@pytest.fixture
def serine(place, clock):
    return leave_traces(place, clock)


# --- what goes and what stays ---------------------------------------------------------------------


def test_nothing_of_her_is_left_but_on_documents(serine, clock):
    before = found(CANARIES)
    assert {
        "person.email",
        "billing_details.last_name",
        "payment.payer_email",
        "payment_method.holder",
        "audit_trace.actor",
        "outbox_message.payload",
        "change_notice.context",
        "contact.email",
        "link.email",
        "nonprofit_request.email",
        "purchase_request.note",
        "session.user_agent",
        "unsent_form.fields",
    } < before
    erase(clock)
    assert found(CANARIES) == {"invoice.facts", "purchase_order.details"}
    assert {order.state for order in Order.select().where(Order.details.is_null(False))} == {"paid"}
    assert broken_books() == {}


def test_twice_is_once(serine, clock):
    erased = erase(clock)
    assert (erased.person_id, erased.memberships, erased.contacts, erased.sessions) == (serine.id, 2, 1, 1)
    entries = AuditEntry.select().count()
    assert erase(clock) is None
    assert AuditEntry.select().count() == entries
    assert AuditEntry.get(AuditEntry.action == "person.erased").subject == str(serine.id)


def test_documents_payments_and_the_log_stay(serine, clock):
    def kept():
        return (
            [invoice.facts_hash for invoice in Invoice.select().order_by(Invoice.id)],
            Payment.select().count(),
            [
                entry.digest
                for entry in AuditEntry.select().where(AuditEntry.id <= last).order_by(AuditEntry.id)
            ],
        )

    last = AuditEntry.select().order_by(AuditEntry.id.desc()).get().id
    before = kept()
    erase(clock)
    assert kept() == before
    [row] = Person.select().where(Person.email == Person.erased_address(serine.id))
    assert (row.name, row.password_hash, row.language) == ("", None, None)


# --- the others -----------------------------------------------------------------------------------


def test_the_workspace_goes_on_with_its_other_owner(serine, place, clock):
    erase(clock)
    stand_in = place.member.person
    method = PaymentMethod.get(PaymentMethod.removed_at.is_null())
    assert (method.added_by, method.last4, method.holder) == (stand_in, "4242", "")
    details = BillingDetails.get(BillingDetails.workspace == place.workspace)
    assert (details.company_name, details.first_name, details.last_name, details.email) == (
        "Acme SARL",
        "Jeanne",
        "Martin",
        stand_in.email,
    )
    assert [licence.member_id for licence in Licence.select()] == [place.member.id]
    charged = len(paying.paid_charges())
    OutboxMessage.delete().where(OutboxMessage.topic == "mail").execute()
    clock.advance(days=31)
    renewals_run.run_due(now=clock.now())
    assert len(paying.paid_charges()) == charged + 1
    newest = Payment.select().order_by(Payment.id.desc()).get()
    assert (newest.order.person, newest.payer_email) == (stand_in, stand_in.email)
    about_acme = [letter for letter in letters() if letter["context"].get("slug") == "acme"]
    assert {letter["to"] for letter in about_acme} == {stand_in.email}
    assert broken_books() == {}


def test_letters_to_others_say_that_somebody_has_left(serine, place, clock):
    erase(clock)
    [told] = letters("owner_made")
    assert (told["to"], told["context"]["by"]) == (place.member.person.email, "Someone who has left")
    assert [letter["to"] for letter in letters("invitation")] == ["finch@acme.test"]
    assert not [letter for letter in letters() if letter["to"] in (ADDRESS, "new@canary.test")]


def test_somebody_of_the_same_name_elsewhere_keeps_it(place, clock):
    for address in (ADDRESS, "other@elsewhere.test"):
        a_person(address, name="Sérine Kanarievogel")
    elsewhere = a_workspace("Elsewhere", owner=Person.get(Person.email == "other@elsewhere.test"))
    with transaction():
        services_letters.send(
            "owner_made",
            to=[owner_of(elsewhere)],
            workspace=elsewhere,
            key="told",
            context={"by": "Sérine Kanarievogel"},
        )
    erase(clock)
    assert letters("owner_made")[0]["context"]["by"] == "Sérine Kanarievogel"
    assert Person.get(Person.email == "other@elsewhere.test").name == "Sérine Kanarievogel"


# --- whom no account is for -----------------------------------------------------------------------


def test_an_address_that_is_only_a_contact_is_erased_too(place, clock):
    contacts.add_address(place, "Books@Accountant.test", language="en", now=clock.now())
    a_nonprofit_request(email="books@accountant.test")
    erased = erase(clock, "BOOKS@accountant.test")
    assert (erased.person_id, erased.contacts, erased.nonprofit_requests) == (None, 1, 1)
    assert found(("accountant.test",)) == set()
    assert Contact.select().count() == NonprofitRequest.select().count() == Link.select().count() == 0
    assert erase(clock, "books@accountant.test") is None


def test_where_somebody_agreed_from_without_signing_in_is_forgotten(place, clock):
    contact = contacts.add_address(place, "books@accountant.test", language="en", now=clock.now())
    with audit.acting_as(audit.Actor(ip_address="198.51.100.7")):
        contacts.confirm(mailed_path("contact_confirmation").rpartition("/")[2], now=clock.now())
        asked = a_nonprofit_request(email="books@accountant.test")
    kept = personal_data.export("books@accountant.test", now=clock.now())
    told = [(each["action"], each["subject"], each["ip_address"]) for each in kept["audit"]]
    assert told == [
        ("contact.confirmed", str(contact.id), "198.51.100.7"),
        ("nonprofit.asked", str(asked.id), "198.51.100.7"),
    ]
    erase(clock, "books@accountant.test")
    assert found(("198.51.100.7",)) == set()


def test_an_old_invitation_is_erased_too(place, clock):
    invitations.invite(place, emails=["finch@acme.test"], role=Role.MEMBER, now=clock.now())
    Member.delete().where(Member.id != place.member.id).execute()
    assert erase(clock, "finch@acme.test").memberships == 0
    assert found(("finch",)) == set()


def test_nobody_knows_a_stranger(place, clock):
    entries = AuditEntry.select().count()
    assert erase(clock, "nobody@nowhere.test") is None
    assert AuditEntry.select().count() == entries


# --- when not -------------------------------------------------------------------------------------


def refused(clock, refusal, email=ADDRESS):
    entries = AuditEntry.select().count()
    with pytest.raises(refusal) as why:
        erase(clock, email)
    assert AuditEntry.select().count() == entries
    assert Person.select().where(Person.email == email).exists()
    return list(getattr(why.value, "slugs", ()))


def test_the_only_owner_is_kept_until_somebody_else_is_one(place, clock):
    only = place.member.person
    waiting = a_person(ADDRESS)
    member = a_member(place.workspace, waiting, role=Role.OWNER, joined=False)
    assert refused(clock, erasure.OnlyOwner, only.email) == ["acme"]
    Member.update(joined_at=clock.now(), status=MemberStatus.DISABLED).where(Member.id == member.id).execute()
    assert refused(clock, erasure.OnlyOwner, only.email) == ["acme"]
    Member.update(status=MemberStatus.ACTIVE).where(Member.id == member.id).execute()
    assert erase(clock, only.email).person_id == only.id


def test_the_last_operator_is_kept(place, clock):
    staff = a_person(ADDRESS, operator=True)
    refused(clock, erasure.LastOperator)
    a_person("other@vendor.test", operator=True)
    asked = a_nonprofit_request(workspace=place.workspace)
    NonprofitRequest.update(state="refused", decided_by=staff, reason="no").execute()
    erase(clock)
    assert not NonprofitRequest.get_by_id(asked.id).decided_by.is_operator
    assert found((ADDRESS,)) == set()


def test_money_on_its_way_is_waited_for(place, clock):
    payer = paying.as_seen_by(place, "Leo Buyer", role=Role.OWNER)
    paying.pay(paying.an_order(payer), paying.SILENT_CHARGED)
    address = payer.member.person.email
    assert refused(clock, erasure.PayingNow, address) == ["acme"]
    others = a_member(place.workspace, a_person(ADDRESS))
    assert erase(clock).person_id == others.person_id, "it is not her money"


def test_an_open_refund_and_a_card_that_is_being_saved_are_waited_for(place, clock):
    payer = paying.as_seen_by(place, "Leo Buyer", role=Role.OWNER)
    payment, address = paying.buy(payer), payer.member.person.email
    refund = Refund.create(
        key="r" * 32,
        workspace=place.workspace,
        payment=payment,
        person=place.member.person_id,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        created_at=clock.wall(),
    )
    refused(clock, erasure.PayingNow, address)
    refund.delete_instance()
    setup = MethodSetup.create(
        key="s" * 32,
        workspace=place.workspace,
        person=payer.member.person_id,
        gateway="sandbox",
        created_at=clock.wall(),
    )
    refused(clock, erasure.PayingNow, address)
    setup.delete_instance()
    assert erase(clock, address)


def test_a_private_buyer_is_kept_while_something_renews(place, clock):
    buyer = paying.as_seen_by(place, "Leo Buyer", role=Role.OWNER)
    private = {"is_business": False, "company_name": "", "first_name": "Leo", "last_name": "Buyer"}
    paying.pay(paying.an_order(buyer, **private), auto_renewal=True)
    address = buyer.member.person.email
    assert refused(clock, erasure.InvoicedAsPerson, address) == ["acme"]
    Subscription.update(auto_renewal=False).execute()
    erase(clock, address)
    assert BillingDetails.select().count() == 0


def test_an_adviser_is_replaced_first(place, clock):
    a_person(ADDRESS, operator=True)
    a_person("other@vendor.test", operator=True)
    place.workspace.adviser_email = "Serine@canary.test"
    place.workspace.save()
    assert refused(clock, erasure.NamedAsAdviser) == ["acme"]


def test_somebody_who_paid_last_is_stood_in_for_by_an_owner(place, clock):
    payer = paying.as_seen_by(place, "Leo Buyer", role=Role.OWNER)
    paying.buy(payer)
    erase(clock, payer.member.person.email)
    assert placing.last_payer(agreement.of_workspace(place.workspace)) == place.member.person


# --- the chain ------------------------------------------------------------------------------------


def test_the_chain_of_the_log_still_holds(serine, clock):
    erase(clock)
    for workspace in {entry.workspace_id for entry in AuditEntry.select()}:
        before = ""
        chain = AuditEntry.workspace == workspace if workspace else AuditEntry.workspace.is_null()
        for entry in AuditEntry.select().where(chain).order_by(AuditEntry.sequence):
            assert audit.holds(entry, previous=before), json.dumps(entry.changes)
            before = entry.digest
    assert CartLine.select().where(CartLine.added_by == serine).count() == 0


# --- at once --------------------------------------------------------------------------------------


def test_at_once_with_itself_and_a_deletion_it_happens_once(place, clock):
    person = a_person(ADDRESS)
    a_member(place.workspace, person)
    elsewhere = a_workspace("Elsewhere")
    a_member(elsewhere, person)
    owner = seen_by(owner_of(elsewhere), elsewhere)
    results = at_once(
        *[lambda: erase(clock)] * 3,
        lambda: deletion.delete_by_owner(owner, now=clock.now()),
        lambda: erase(clock),
    )
    assert not [result for result in results if isinstance(result, Exception)]
    assert len([result for result in results if isinstance(result, erasure.Erased)]) == 1
    assert not Person.select().where(Person.id == person.id).exists()
    assert broken_books() == {}


def test_paying_and_erasing_at_once_leave_a_payment_with_its_payer_or_none(place, clock):
    payer = paying.as_seen_by(place, "Leo Buyer", role=Role.OWNER)
    order, address = paying.an_order(payer), payer.member.person.email
    paying.pay(order, paying.DECLINED)

    def buy():
        return paying.pay(paying.reloaded(order), person=payer.member.person).state

    bought_as, erased = at_once(buy, lambda: erase(clock, address))
    assert isinstance(erased, erasure.Erased | erasure.PayingNow)
    if isinstance(erased, erasure.Erased):
        # Before it was paid, so that the quote was without the address, or after.
        assert isinstance(bought_as, QuoteChanged) or bought_as == PaymentState.SUCCEEDED
        assert found(("Leo", "leo.buyer")) == set()
    assert len(paying.paid_charges()) == (bought_as == PaymentState.SUCCEEDED)
    assert broken_books() == {}
