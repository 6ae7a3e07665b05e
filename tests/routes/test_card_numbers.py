"""A card number typed anywhere but in its own field reaches neither a table, nor a log, nor a page."""

import logging

import pytest

from portal.database.connecting import database
from portal.models import ALL_MODELS
from tests.attackers import Attacker, an_order_of
from tests.factories import PASSWORD, a_person, a_workspace, owner_of
from tests.visiting import facts

NUMBER = "4242 4242 4242 4242"
DETAILS = ("company_name", "vat_number", "first_name", "last_name", "street", "street2", "city", "email")


@pytest.fixture
def forms(app):
    """Each address with a free field, who posts to it, and what: the number everywhere."""
    with facts(app):
        acme = a_workspace()
        order = an_order_of(owner_of(acme), acme)
        owner, visitor = Attacker(app, owner_of(acme)), Attacker(app)
        staff = Attacker(app, a_person("staff@vendor.test", operator=True))
    checkout = f"/w/acme/checkout/{order.number}"
    details = {**dict.fromkeys(DETAILS, NUMBER), "country": "FR", "postal_code": NUMBER, "is_business": "y"}
    return [
        (
            visitor,
            "/sign-up",
            {"name": NUMBER, "email": NUMBER, "workspace_name": NUMBER, "password": PASSWORD},
        ),
        (visitor, "/sign-in", {"email": NUMBER, "password": "x"}),
        (visitor, "/reset", {"email": NUMBER}),
        (visitor, "/nonprofit", dict.fromkeys(NONPROFIT, NUMBER)),
        (owner, "/me", {"name": NUMBER, "language": "en"}),
        (owner, "/w/acme/members", {"emails": NUMBER, "status": "active", "role": "member"}),
        (
            owner,
            "/w/acme/settings",
            {"name": NUMBER, "time_zone": "UTC", "language": "en", "currency": "EUR"},
        ),
        (owner, "/w/acme/settings/delete", {"name": NUMBER}),
        (owner, checkout, details),
        (owner, checkout, {**details, "update": "y"}),
        (owner, f"{checkout}/review", {"holder": NUMBER, "number": "4242424242424242", "security_code": "1"}),
        (owner, "/w/acme/payment-methods", {"holder": NUMBER, "security_code": NUMBER}),
        (staff, "/operator/workspaces/acme", {"amount": NUMBER, "unit": "MB"}),
    ]


NONPROFIT = ("organisation", "registration_number", "website", "purpose", "contact_name", "email")


def test_no_page_table_or_log_holds_it(app, forms, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    for browser, address, fields in forms:
        answer = browser.post(address, fields)
        assert answer.status_code in (200, 422), (address, answer.status_code)
        assert not holds_it(answer.text), address
    assert not holds_it(caplog.text)
    with facts(app):
        for model in ALL_MODELS:
            for row in database.execute_sql(f'SELECT * FROM "{model._meta.table_name}"').fetchall():
                assert not any(holds_it(cell) for cell in row if isinstance(cell, str)), model


def holds_it(text: str) -> bool:
    """Half of the number is enough; a quarter is found by chance in what is drawn at random."""
    return "42424242" in "".join(text.split())
