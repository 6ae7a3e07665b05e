"""The vendor's staff: finding a workspace, its figures, the used storage, payments that wait."""

import pytest

from portal.domain.vocabulary import PaymentState
from portal.models import AuditEntry, OutboxMessage, Payment, Workspace
from portal.runtime import current
from portal.services import operator
from portal.services.operator import StorageUnreadable, read_size
from portal.services.renewals import run
from tests import paying
from tests.factories import a_catalogue, a_person, a_workspace, letters, owner_of, seen_by
from tests.licensed import bought, tried
from tests.pages import by_testid, parse, spaced, text_of
from tests.visiting import facts, post_form, visit_as

# The pages; what they call is tested on both engines.
pytestmark = pytest.mark.engine("sqlite")

GIGABYTE = 1024**3


@pytest.fixture
def staff(app, client):
    """The browser of an operator, with the catalogue on sale."""
    with facts(app):
        a_catalogue()
        visit_as(client, a_person("staff@vendor.test", operator=True))
    return client


def names_on(response) -> list[str]:
    return [text_of(next(row.iter("a"))) for row in by_testid(parse(response.text), "workspace-row")]


# --- who ------------------------------------------------------------------------------------------


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("address", ["/operator/", "/operator/workspaces/acme"])
def test_for_an_owner_the_operators_pages_do_not_exist(app, client, address) -> None:
    with facts(app):
        visit_as(client, owner_of(a_workspace()))
    assert client.get(address).status_code == 404


@pytest.mark.engine("sqlite")
def test_an_owner_cannot_set_the_storage(app, client) -> None:
    with facts(app):
        visit_as(client, owner_of(a_workspace()))
    answer = post_form(client, "/operator/workspaces/acme", shown_at="/me", amount="0", unit="MB")
    assert answer.status_code == 404


@pytest.mark.engine("sqlite")
def test_a_visitor_is_asked_to_sign_in(client) -> None:
    assert client.get("/operator/").location.startswith("/sign-in")


# --- the list -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["Initech 100%", "Globex", "Acme Sud", "Acme"]),
        ("acme", ["Acme Sud", "Acme"]),
        ("sud", ["Acme Sud"]),
        ("acme-s", ["Acme Sud"]),
        ("C-000002", ["Acme Sud"]),
        ("c-00000", ["Initech 100%", "Globex", "Acme Sud", "Acme"]),
        ("%", ["Initech 100%"]),
        ("_", []),
        ("me-sud", []),
        ("\x00", ["Initech 100%", "Globex", "Acme Sud", "Acme"]),
        ("' OR 1=1 --", []),
        ("x" * 5000, []),
    ],
)
def test_workspaces_are_found_by_name_slug_and_number(app, staff, search, found) -> None:
    with facts(app):
        owner = a_person()
        for name in ("Acme", "Acme Sud", "Globex", "Initech 100%"):
            a_workspace(name, owner=owner)
    assert names_on(staff.get("/operator/", query_string={"q": search})) == found


def test_the_list_goes_on_where_the_page_ended(app, staff, monkeypatch) -> None:
    monkeypatch.setattr("portal.routes.operator.workspaces.ROWS_OF_A_PAGE", 2)
    with facts(app):
        owner = a_person()
        for name in ("One", "Two", "Three"):
            a_workspace(name, owner=owner)
    first = staff.get("/operator/?lang=en")
    assert names_on(first) == ["Three", "Two"]
    older = [link.get("href") for link in parse(first.text).iter("a") if text_of(link) == "Older workspaces"]
    last = staff.get(older[0])
    assert names_on(last) == ["One"]
    assert "Older workspaces" not in last.text


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("cursor", ["x", "-1", "1e9", "9" * 40, "²", "%00"])
def test_a_forged_cursor_shows_the_first_page(app, staff, cursor) -> None:
    with facts(app):
        a_workspace()
    assert names_on(staff.get(f"/operator/?before={cursor}")) == ["Acme"]


def test_the_pages_take_few_queries(app, staff, monkeypatch) -> None:
    with facts(app):
        owner = a_person()
        for name in ("One", "Two", "Three", "Four"):
            a_workspace(name, owner=owner)
    for address, most in (("/operator/", 6), ("/operator/workspaces/one", 7)):
        asked = queries_of(monkeypatch, lambda address=address: staff.get(address))
        assert len(asked) <= most, asked


def queries_of(monkeypatch, act) -> list[str]:
    from portal.database.connecting import database

    act()  # Blocks are asked for alone the first time.
    asked: list[str] = []
    real = database.obj.execute_sql

    def note(sql, *arguments, **options):
        asked.append(sql)
        return real(sql, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(database.obj, "execute_sql", note)
        act()
    return asked


# --- the used storage -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "unit", "used_bytes"),
    [("3", "GB", 3 * GIGABYTE), ("1500", "MB", 1500 * 1024**2), ("0", "MB", 0), ("007", "GB", 7 * GIGABYTE)],
)
def test_the_used_storage_is_set_and_written_down(app, staff, amount, unit, used_bytes) -> None:
    with facts(app):
        a_workspace()
    answer = post_form(staff, "/operator/workspaces/acme", amount=amount, unit=unit)
    assert answer.status_code == 303
    with facts(app):
        acme = Workspace.get(Workspace.slug == "acme")
        assert acme.used_storage_bytes == used_bytes
        entry = AuditEntry.select().where(AuditEntry.workspace == acme).order_by(AuditEntry.id.desc()).first()
        assert entry.action == "workspace.storage_set"
        assert entry.changes == {"before_bytes": 0, "after_bytes": used_bytes}
    assert staff.get(answer.location).status_code == 200


@pytest.mark.parametrize(
    ("amount", "unit"),
    [
        ("", "GB"),
        ("1.5", "GB"),
        ("1,5", "GB"),
        ("-1", "GB"),
        ("1e3", "GB"),
        ("1000001", "GB"),
        ("100000000000000000000", "MB"),
        ("３", "GB"),
        ("3\x00", "GB"),
        ("3", "KB"),
        ("3", ""),
    ],
)
def test_a_size_that_is_no_whole_number_is_refused(app, staff, amount, unit) -> None:
    with facts(app):
        a_workspace()
    answer = post_form(staff, "/operator/workspaces/acme", amount=amount, unit=unit)
    if (amount, unit) == ("3\x00", "GB"):
        # The sign that cannot be printed is left out, as in every field.
        assert answer.status_code == 303
        return
    assert answer.status_code == 422
    assert by_testid(parse(answer.text), "error-summary")
    with facts(app):
        assert Workspace.get(Workspace.slug == "acme").used_storage_bytes == 0


@pytest.mark.parametrize(
    ("text", "size"),
    [("500MB", 500 * 1024**2), ("3GB", 3 * GIGABYTE), (" 3 gb ", 3 * GIGABYTE), ("1TB", 1024 * GIGABYTE)],
)
def test_a_size_is_read(text, size) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "3", "1.5GB", "-1GB", "03GB", "３GB", "3KB", "9999999999GB", "3GB\n4"])
def test_what_is_no_size_is_refused(text) -> None:
    with pytest.raises(StorageUnreadable):
        read_size(text)


def test_the_products_of_a_workspace_are_on_its_page(app, staff, clock) -> None:
    with facts(app):
        workspace = a_workspace()
        place = seen_by(owner_of(workspace), workspace)
        bought(place, quantity=3)
        tried(place, "webinar-standard")
        assert by_testid(parse(staff.get("/operator/workspaces/acme").text), "products")
        clock.advance(days=60)
    [products] = by_testid(parse(staff.get("/operator/workspaces/acme").text), "products")
    assert [text_of(each) for each in products.iter("dd")] == [
        "Meetings Essential, 3 licences BlockedDue date: 21 December 2026",
        "Webinar Standard, 1 licence Ended",
    ]


def test_figures_and_owner_are_on_the_page(app, staff) -> None:
    with facts(app):
        acme = a_workspace(plan="business-5")
        operator.set_used_storage(acme, used_bytes=2 * GIGABYTE, now=current().clock.now())
    page = parse(staff.get("/operator/workspaces/acme?lang=en").text)
    assert text_of(by_testid(page, "usage-users")[0]) == "1 of 5"
    assert text_of(by_testid(page, "usage-storage")[0]) == "2 GB of 40 GB"
    assert "owner@acme.test" in text_of(page)


@pytest.mark.engine("sqlite")
def test_an_unknown_workspace_is_not_found(staff) -> None:
    assert staff.get("/operator/workspaces/nobody").status_code == 404


# --- orders and payments --------------------------------------------------------------------------


@pytest.mark.settings(PORTAL_GATEWAY_TIMEOUT="0.5")
def test_the_gateway_is_asked_about_a_payment_that_waits(app, staff) -> None:
    """The card that answers nothing and is charged: the result is unknown until somebody asks."""
    with facts(app):
        order = paying.an_order(paying.a_place())
        payment = paying.pay(order, paying.SILENT_CHARGED)
        assert payment.state == PaymentState.UNKNOWN
        slug, key = order.workspace.slug, payment.key
    address = f"/operator/workspaces/{slug}"
    row = text_of(by_testid(parse(staff.get(f"{address}?lang=en").text), "payment-row")[0])
    assert "Result unknown" in row and "Ask the gateway now" in row
    answer = post_form(staff, f"{address}/payments/{key}/look-up", shown_at=address)
    assert answer.status_code == 303
    row = text_of(by_testid(parse(staff.get(answer.location).text), "payment-row")[0])
    assert "Paid" in row and "Ask the gateway now" not in row
    with facts(app):
        assert Payment.get(Payment.key == key).state == PaymentState.SUCCEEDED
        assert len(paying.paid_charges()) == 1
        assert OutboxMessage.select().where(OutboxMessage.topic == "mail").exists()


@pytest.mark.engine("sqlite")
def test_open_orders_and_declined_payments_are_listed(app, staff) -> None:
    with facts(app):
        place = paying.a_place()
        paying.an_open_order(place)
        order = paying.an_order(place, "business-10")
        paying.pay(order, paying.DECLINED)
        slug = place.workspace.slug
    rows = [
        text_of(row)
        for row in by_testid(parse(staff.get(f"/operator/workspaces/{slug}?lang=en").text), "payment-row")
    ]
    assert len(rows) == 2
    assert "Declined" in rows[0] and "Not ordered yet" in rows[1]
    assert not any("Ask the gateway" in row for row in rows)


@pytest.mark.engine("sqlite")
def test_an_order_has_its_business_date_and_each_try_says_by_which_clock(app, staff, clock) -> None:
    """What was bought on 21 November is renewed on 21 December; the machine is a minute further by then."""
    with facts(app):
        paying.pay(paying.an_order(paying.a_place()), auto_renewal=True)
        clock.advance(days=30)
        clock.advance_wall(minutes=1)
        run.run_due(now=clock.now())
    [renewed, bought] = [
        spaced(text_of(row))
        for row in by_testid(parse(staff.get("/operator/workspaces/acme?lang=en").text), "payment-row")
    ]
    assert "21 Nov 2026, 10:00Tried on 21 Nov 2026, 10:00, real time" in bought
    assert "21 Dec 2026, 10:00Tried on 21 December 2026" in renewed
    assert "real time" not in renewed


@pytest.mark.engine("sqlite")
@pytest.mark.settings(PORTAL_GATEWAY_TIMEOUT="0.5")
def test_a_payment_belongs_to_its_workspace(app, staff) -> None:
    with facts(app):
        order = paying.an_order(paying.a_place())
        key = paying.pay(order, paying.SILENT_CHARGED).key
        a_workspace("Globex")
    address = "/operator/workspaces/globex"
    answer = post_form(staff, f"{address}/payments/{key}/look-up", shown_at=address)
    assert answer.status_code == 404


# --- trials ---------------------------------------------------------------------------------------

TRIAL = "/operator/workspaces/acme/trial"
ACME = "/operator/workspaces/acme"


def words_of(response) -> str:
    return text_of(parse(response.text))


def test_a_trial_is_extended_and_the_new_due_date_shown(app, staff) -> None:
    with facts(app):
        a_workspace()
    assert "New due date: 4 January 2027" in spaced(staff.get(f"{ACME}?lang=en").text)
    assert "New due date: 24 December 2026" in spaced(staff.get(f"{ACME}?lang=en&days=3").text)
    answer = post_form(staff, TRIAL, shown_at=ACME, days="20", due_on="2026-12-21")
    assert (answer.status_code, answer.location) == (303, ACME)
    page = spaced(staff.get(f"{ACME}?lang=en").text)
    assert "10 January 2027" in page
    with facts(app):
        assert letters("trial_extended")[0]["to"] == "owner@acme.test"


@pytest.mark.engine("sqlite")
def test_a_trial_that_is_over_counts_from_today(app, staff, clock) -> None:
    with facts(app):
        a_workspace()
    clock.advance(days=60)
    page = spaced(staff.get(f"{ACME}?lang=en").text)
    assert "has been over since 21 December 2026" in page
    assert "New due date: 3 February 2027" in page


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("days", ["", "0", "91", "-1", "1.5", "1e1", "x", "９"])
def test_days_out_of_range_are_refused(app, staff, days) -> None:
    with facts(app):
        a_workspace()
    answer = post_form(staff, TRIAL, shown_at=ACME, days=days, due_on="2026-12-21")
    assert answer.status_code == 422
    assert by_testid(parse(answer.text), "error-summary")
    assert staff.get(ACME, query_string={"days": days}).status_code == 200


@pytest.mark.engine("sqlite")
def test_a_second_operator_sees_that_it_was_extended(app, staff) -> None:
    with facts(app):
        a_workspace()
    post_form(staff, TRIAL, shown_at=ACME, days="20", due_on="2026-12-21")
    answer = post_form(staff, TRIAL, shown_at=ACME, days="20", due_on="2026-12-21")
    assert answer.status_code == 409
    with facts(app):
        assert len(letters("trial_extended")) == 1


@pytest.mark.engine("sqlite")
def test_a_plan_has_no_trial_to_extend(app, staff) -> None:
    with facts(app):
        a_workspace(plan="business-5")
    assert "Extend the trial" not in words_of(staff.get(f"{ACME}?lang=en"))
    answer = post_form(staff, TRIAL, shown_at=ACME, days="20", due_on="2026-12-21")
    assert answer.status_code == 303
    assert by_testid(parse(staff.get(ACME).text), "flash")


def test_a_card_number_is_refused_beside_the_search_and_shown_nowhere(staff) -> None:
    answer = staff.get("/operator/?q=4242424242424242")
    assert answer.status_code == 422
    assert 'aria-describedby="q-error"' in answer.text
    assert "42424242" not in answer.text
