"""What people do on the pages, one sentence each. `scripts` tells whether the browser runs them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from portal.clock import ShiftedClock
from portal.gateways.sandbox.gateway import LedgerCharge
from portal.models import Order, Payment, Person, Session, Workspace
from portal.runtime import current
from portal.services.payments import charging
from portal.services.renewals import run
from portal.web.sessions import hash_token
from portal.worker import jobs
from tests.factories import CATALOGUE, PASSWORD, a_member, a_person, seen_by
from tests.paying import PAID, an_order, apply_catalogue, paid_charges

GIGABYTE = 1024**3
MORNING = time(9, 0, tzinfo=UTC)
MAIL_PATIENCE = timedelta(seconds=60)


# --- coming and going -----------------------------------------------------------------------------


def sign_in(page: Page, person: Person, *, password: str = PASSWORD) -> None:
    page.goto("/sign-in")
    send_sign_in(page, person, password=password)


def send_sign_in(page: Page, person: Person, *, password: str = PASSWORD) -> None:
    page.locator("[name=email]").fill(person.email)
    page.locator("[name=password]").fill(password)
    page.get_by_test_id("sign-in").click()


def come_signed_in(page: Page, person: Person) -> None:
    """Have a session without the sign-in page, for a test about something else."""
    token = f"token-of-{person.id}-{id(page)}"
    wall = current().clock.wall()
    with jobs.at_work():
        Session.create(
            token_hash=hash_token(token),
            person=person,
            stored={"_user_id": str(person.id), "_fresh": True},
            ip_address="127.0.0.1",
            user_agent="Chromium",
            created_at=wall,
            seen_at=wall,
        )
    page.context.add_cookies([{"name": "session", "value": token, "url": current().settings.base_url}])


def sign_out(page: Page) -> None:
    open_menu(page, "workspace-menu")
    page.get_by_test_id("sign-out").locator("visible=true").click()


def open_menu(page: Page, name: str) -> Locator:
    """The opened menu: `workspace-menu`, or `settings-menu` behind the gear."""
    menu = page.get_by_test_id(name)
    menu.locator("summary").click()
    return menu


def open_plans(page: Page, workspace: Workspace) -> None:
    page.goto(f"/w/{workspace.slug}/plans")


# --- the plans page -------------------------------------------------------------------------------


def plan(page: Page, code: str, interval: str = "month") -> Locator:
    return page.get_by_test_id(f"plan-{code}-{interval}")


def choose_plan(page: Page, code: str, interval: str = "month", *, scripts: bool = True) -> None:
    plan(page, code, interval).get_by_role("radio").check()
    if not scripts:
        show_the_choice(page)


def choose_currency(page: Page, currency: str, *, scripts: bool = True) -> None:
    page.locator("[name=currency]").first.select_option(currency)
    if not scripts:
        show_the_choice(page)


def show_the_choice(page: Page) -> None:
    page.locator("button[name=show]").click()


def chosen_plan(page: Page) -> Locator:
    """What stands beside the button: name and figures of the chosen plan."""
    return page.locator(".plan-action")


def buy(page: Page) -> None:
    """Press the button of the plans page and the OK of the dialog (or page) behind it."""
    page.get_by_test_id("plan-action").click()
    page.get_by_test_id("buy-ok").click()
    expect_step(page, "details")


def expect_step(page: Page, step: str) -> None:
    """The browser is at one step of the checkout: `details`, `review` or `result`."""
    ending = "" if step == "details" else f"/{step}"
    expect(page).to_have_url(re.compile(rf"/checkout/[a-z0-9]+{ending}(#[a-z-]+)?$"))


# --- billing details ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Buyer:
    """What somebody types on page 1. `company` fields are empty for a private person."""

    country: str = "FR"
    address: Mapping[str, str] = field(
        default_factory=lambda: {"street": "12 rue de la Paix", "postal_code": "75002", "city": "Paris"}
    )
    first_name: str = "Jeanne"
    last_name: str = "Martin"
    email: str = "compta@acme.test"
    company: str = ""
    vat_number: str = ""


FRENCH_COMPANY = Buyer(company="Acme SARL", vat_number="FR40303265045")
GERMAN_COMPANY = Buyer(
    country="DE",
    address={"street": "Friedrichstraße 100", "postal_code": "10117", "city": "Berlin"},
    company="Beispiel GmbH",
    vat_number="DE136695976",
)


def choose_country(page: Page, country: str, *, scripts: bool = True) -> None:
    """The fields of the country follow; without scripts when asked."""
    if page.locator("[name=country]").input_value() == country:
        return
    if not scripts:
        page.locator("[name=country]").select_option(country)
        page.locator("[name=update]").click()
        return
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.locator("[name=country]").select_option(country)


def fill_in(page: Page, buyer: Buyer, *, scripts: bool = True) -> None:
    choose_country(page, buyer.country, scripts=scripts)
    expect(page.locator("[name=country]")).to_have_value(buyer.country)
    page.locator("[name=first_name]").fill(buyer.first_name)
    page.locator("[name=last_name]").fill(buyer.last_name)
    for name, text in buyer.address.items():
        page.locator(f"[name={name}]").fill(text)
    page.locator("[name=email]").fill(buyer.email)
    page.locator("[name=email_confirm]").fill(buyer.email)
    page.locator("[name=is_business]").set_checked(bool(buyer.company))
    if buyer.company:
        page.locator("[name=company_name]").fill(buyer.company)
        page.locator("[name=vat_number]").fill(buyer.vat_number)


def empty_the_form(page: Page) -> None:
    """Whatever was filled in beforehand, from the account."""
    for control in page.locator("main form input:visible:not([type=checkbox], [type=submit])").all():
        control.fill("")


def go_on(page: Page) -> None:
    page.get_by_test_id("continue").click()


def review_an_order(page: Page, workspace: Workspace, person: Person, code: str = "business-5") -> Order:
    """An order with its details, made without the pages before the review, opened there."""
    with jobs.at_work():
        made = an_order(seen_by(person, workspace), code)
    page.goto(f"/w/{workspace.slug}/checkout/{made.number}/review")
    return made


# --- review and pay -------------------------------------------------------------------------------


def fill_in_card(
    page: Page, number: str = PAID, *, month: str = "12", year: str = "2030", code: str = "123"
) -> None:
    page.locator("[name=number]").fill(number)
    page.locator("[name=exp_month]").select_option(month)
    page.locator("[name=exp_year]").select_option(year)
    page.locator("[name=security_code]").fill(code)
    page.locator("[name=holder]").fill("Jeanne Martin")


def order(page: Page) -> None:
    page.get_by_test_id("place-order").click()


def pay(page: Page, number: str = PAID) -> None:
    fill_in_card(page, number)
    order(page)


def add_card(page: Page, number: str, *, code: str = "123") -> None:
    """On the page of the payment methods, where nothing is charged."""
    fill_in_card(page, number, code=code)
    page.get_by_test_id("add-card").click()


def confirm(page: Page) -> None:
    """On a page of the sandbox that stands for a bank or for PayPal."""
    page.locator("button[value=confirm]").click()


def refuse(page: Page) -> None:
    page.locator("button[value=refuse]").click()


# --- a workspace that grows -----------------------------------------------------------------------


def grow(
    workspace: Workspace, *, users: int = 0, gigabytes: int | None = None, named: str = "member"
) -> None:
    """So many more members ("Member 1" and on), and so much storage in use."""
    with jobs.at_work():
        for number in range(1, users + 1):
            name = f"{named.title()} {number}"
            a_member(workspace, a_person(f"{named}{number}@acme.test", name=name, password=False))
        if gigabytes is not None:
            used = Workspace.update(used_storage_bytes=gigabytes * GIGABYTE)
            used.where(Workspace.id == workspace.id).execute()


# --- time ----------------------------------------------------------------------------------------


def come_to(clock: ShiftedClock, *days: date) -> None:
    """It is the morning of each of these days in turn, when the worker does what is due."""
    for day in days:
        clock.set(datetime.combine(day, MORNING))
        do_what_is_due()


def do_what_is_due() -> None:
    """What the worker does every quarter of an hour."""
    with jobs.at_work() as runtime:
        run.run_due(now=runtime.clock.now())


def change_price(code: str, *, from_minor: int, to_minor: int) -> None:
    """The vendor sells the plan for another price from now on."""
    head, mark, rest = CATALOGUE.read_text().partition(f'code = "{code}"')
    changed = rest.replace(f"amount_minor = {from_minor} ", f"amount_minor = {to_minor} ", 1)
    assert changed != rest
    with jobs.at_work():
        apply_catalogue(head + mark + changed)


# --- looking --------------------------------------------------------------------------------------


def heading(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def expect_refused(page: Page, *fields: str) -> None:
    """The form came back: the summary has the focus, and each of these fields its own sentence."""
    summary = page.get_by_test_id("error-summary")
    expect(summary).to_be_focused()
    for name in fields:
        refused = page.locator(f"[name={name}]")
        expect(refused).to_have_attribute("aria-invalid", "true")
        expect(page.locator(f"#{name}-error")).to_be_visible()
        expect(summary.locator(f"a[href='#{name}']")).to_be_visible()


def starred_text_fields(page: Page) -> list[str]:
    """The names of the fields to be filled whose label carries a star."""
    starred = page.locator(".field:visible", has=page.locator("label .star[aria-hidden=true]"))
    controls = starred.locator("input, select[name=country], select[name=region]")
    return [control.get_attribute("name") or "" for control in controls.all()]


def wait_for_mail(page: Page, subject: str) -> Locator:
    """The line of the newest letter with this subject, looked for again and again: a worker sends it."""
    page.goto("/sandbox/mailbox")
    row = page.get_by_test_id("mail-row").filter(has_text=subject).first
    deadline = current().clock.wall() + MAIL_PATIENCE
    while row.count() == 0 and current().clock.wall() < deadline:
        page.reload()
    expect(row).to_be_visible()
    return row


def download(page: Page, link: Locator) -> bytes:
    with page.expect_download() as started:
        link.click()
    return Path(started.value.path()).read_bytes()


# --- what became of it ----------------------------------------------------------------------------


def charges() -> list[LedgerCharge]:
    """What the sandbox really took."""
    with jobs.at_work():
        return paid_charges()


def payments_of(workspace: Workspace) -> list[Payment]:
    with jobs.at_work():
        return list(Payment.select().where(Payment.workspace == workspace).order_by(Payment.id))


def newest_order(workspace: Workspace) -> Order:
    with jobs.at_work():
        return Order.select().where(Order.workspace == workspace).order_by(Order.id.desc()).get()


def reconcile() -> None:
    """What the operator's command, or the worker within minutes, does about unknown results."""
    with jobs.at_work() as runtime:
        charging.reconcile(now=runtime.clock.now())
