"""Who holds the licences of each product: assigned, taken back, given to somebody else, many at once.

Whoever does not manage members reads here which licences they hold themselves, and who assigns them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from flask import Blueprint, Response, abort, flash, request, session, url_for
from flask_babel import ngettext
from flask_login import current_user

from portal.domain.licences import NotAssignable, NotEnoughLicences
from portal.domain.vocabulary import Interval, Right, SubscriptionState
from portal.forms.base import TEXT_LENGTH, clean_text
from portal.models import Member, Person, Subscription
from portal.routes.payments.new_method import MethodsSection, section_of
from portal.routes.subscriptions.licensed import may_change
from portal.runtime import current
from portal.services.members import roster
from portal.services.places import Place
from portal.services.subscriptions import agreement, licence_keys, licences
from portal.services.subscriptions.licences import (
    CannotHoldLicence,
    HasLicence,
    LicenceGone,
    LicencePage,
    LicenceRow,
    ProductLicences,
)
from portal.web.access import workspace_right
from portal.web.htmx import redirect_after_write, render, wants_part
from portal.web.lists import page_cursor
from portal.web.place import know_status, status_here, today_here
from portal.words import formatting
from portal.words.i18n import Sentence, translated
from portal.words.i18n import gettext as _
from portal.words.states import state_words

from .roster import is_number, name_of, state_of

blueprint = Blueprint("licences", __name__, url_prefix="/w/<slug>/licences")
MEMBER = f"<int(max={2**31 - 1}):member_id>"
ROWS_OF_A_PAGE = 50
HOLDS = {"with": True, "without": False}


# --- the page -------------------------------------------------------------------------------------


@blueprint.get("")
@workspace_right(None)
def index(place: Place) -> Response:
    """For whoever manages members the list of one product; for everybody else what they hold."""
    products = licences.all_of(place.workspace, today=today_here(place))
    if Right.MANAGE_MEMBERS not in place.may:
        return _own_page(place, products)
    if not products:
        subscriptions = _subscriptions(place)
        keys, payment = _keys(place, subscriptions), section_of(place, subscriptions)
        return render("members/licences.html", replace(NO_PRODUCT, keys=keys, payment=payment))
    code = request.args.get("product") or products[0].product.code
    return _page(place, products, _product(products, code), Asked.of_request())


@dataclass(frozen=True, slots=True)
class OwnLicence:
    """A product, whether the reader holds a licence of it, and what keeps it from being used, or empty."""

    name: str
    holds: bool
    obstacle: str


def _own_page(place: Place, products: Sequence[ProductLicences]) -> Response:
    held = licences.products_held_by(place.member)
    subscriptions = _subscriptions(place)
    return render(
        "members/own_licences.html",
        own=[
            OwnLicence(
                translated(each.product.names),
                each.subscription.id in held,
                "" if each.is_assignable else state_words(each.status.state),
            )
            for each in products
        ],
        people=roster.people_with(place.workspace, Right.MANAGE_MEMBERS),
        payment=section_of(place, subscriptions),
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of the list: what is searched for, who holds one, and where the page begins."""

    search: str = ""
    problem: Sentence | None = None
    holds: str = ""
    before: int | None = None

    @classmethod
    def of_request(cls) -> "Asked":
        """From the address of a page, or from the form that stood on it."""
        search, fault = clean_text(request.values.get("q", ""), max_length=TEXT_LENGTH)
        holds = request.values.get("holds", "")
        return cls(
            search=search[:TEXT_LENGTH],
            problem=fault,
            holds=holds if holds in HOLDS else "",
            before=page_cursor(),
        )

    def address(self, place: Place, product: str, **changed: object) -> str:
        values: dict[str, object] = {"q": self.search, "holds": self.holds, "before": self.before} | changed
        return url_for(
            "licences.index",
            slug=place.workspace.slug,
            product=product,
            **{name: value for name, value in values.items() if value},  # type: ignore[arg-type]
        )


@dataclass(frozen=True, slots=True)
class ProductRow:
    """A product with its figures, ready to print."""

    code: str
    name: str
    address: str
    state: str
    state_label: str
    paid: int
    assigned: int
    free: int
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member ready to print. `name` falls back on the address; `is_ticked` where a form came back.

    `takes_focus`: the button of this row was pressed, and what it became takes its place.
    """

    member_id: int
    name: str
    email: str
    state: str
    state_label: str
    is_you: bool
    holds: bool
    is_ticked: bool
    takes_focus: bool


@dataclass(frozen=True, slots=True)
class LicencesPage:
    """The list of one product. `chosen` None: there is none. `notes` are said above the list.

    `tabs` are (key, label, address); `older` and `everybody` are addresses. `done` is what was just changed,
    with its category; `done_takes_focus` where no row does. `returns`: the address of where idle licences
    are returned, if any are.
    `keys`: name and address of each product that is activated by a key.
    """

    products: Sequence[ProductRow] = ()
    chosen: ProductRow | None = None
    is_assignable: bool = False
    notes: Sequence[str] = ()
    returns: str = ""
    asked: Asked = Asked()
    tabs: Sequence[tuple[str, str, str]] = ()
    rows: Sequence[MemberRow] = ()
    older: str = ""
    everybody: str = ""
    problem: str = ""
    done: Sequence[tuple[str, str]] = ()
    done_takes_focus: bool = False
    keys: Sequence[tuple[str, str]] = ()
    payment: MethodsSection | None = None


NO_PRODUCT = LicencesPage()


def _page(
    place: Place,
    products: Sequence[ProductLicences],
    chosen: ProductLicences,
    asked: Asked,
    *,
    problem: str = "",
    ticked: Sequence[int] = (),
    done: str = "",
    status: int = 200,
) -> Response:
    """`done`: what was just changed, where it is not told by a message that waits."""
    subscriptions = _subscriptions(place)
    code = chosen.product.code
    found = licences.list_members(
        chosen.subscription,
        search=asked.search,
        holds=HOLDS.get(asked.holds),
        before=asked.before,
        limit=ROWS_OF_A_PAGE,
    )
    rows = [_product_row(place, each, is_chosen=each is chosen) for each in products]
    pressed = request.form.get("only") if done else None
    may_assign = chosen.is_assignable and chosen.free > 0
    members = [
        _member_row(
            place,
            row,
            ticked=ticked,
            takes_focus=pressed == str(row.member_id) and (row.holds or may_assign),
        )
        for row in found.rows
    ]
    return render(
        "members/licences.html",
        LicencesPage(
            products=rows,
            chosen=next(row for row in rows if row.is_chosen),
            is_assignable=chosen.is_assignable,
            notes=_notes(chosen),
            returns=_returning_page(place, chosen),
            asked=asked,
            tabs=[
                (key, label, asked.address(place, code, holds=key, before=None))
                for key, label in (
                    ("", _("Everyone")),
                    ("with", _("With a licence")),
                    ("without", _("Without a licence")),
                )
            ],
            rows=members,
            older=asked.address(place, code, before=found.older) if found.older else "",
            everybody=Asked().address(place, code),
            problem=problem,
            # In the part that moves, so that what is said of the next act stands in its place.
            done=[("done", done)] if done else session.pop("_flashes", ()),
            done_takes_focus=bool(done) and not any(member.takes_focus for member in members),
            keys=_keys(place, subscriptions),
            payment=None if wants_part() else section_of(place, subscriptions),
        ),
        status=422 if asked.problem and status == 200 else status,
    )


def _subscriptions(place: Place) -> list[Subscription]:
    """All of the workspace, that to its plan first. One query, for the banner too."""
    found = agreement.all_of(place.workspace)
    know_status(agreement.status_of(found[0], today=today_here(place)))
    return found


def _keys(place: Place, subscriptions: Sequence[Subscription]) -> Sequence[tuple[str, str]]:
    return [
        (
            translated(product.names),
            url_for("licence_key.show", slug=place.workspace.slug, product=product.code),
        )
        for product in licence_keys.keyed_products(subscriptions)
    ]


def _product_row(place: Place, each: ProductLicences, *, is_chosen: bool) -> ProductRow:
    return ProductRow(
        code=each.product.code,
        name=translated(each.product.names),
        address=Asked().address(place, each.product.code),
        state=each.status.state.value,
        state_label=state_words(each.status.state),
        paid=each.paid,
        assigned=each.assigned,
        free=each.free if each.is_assignable else 0,
        is_chosen=is_chosen,
    )


def _member_row(
    place: Place, row: LicenceRow, *, ticked: Sequence[int], takes_focus: bool = False
) -> MemberRow:
    state, label = state_of(row.status, has_joined=row.has_joined)
    return MemberRow(
        member_id=row.member_id,
        name=row.name or row.email,
        email=row.email if row.name else "",
        state=state,
        state_label=label,
        is_you=row.member_id == place.member.id,
        holds=row.holds,
        is_ticked=row.member_id in ticked,
        takes_focus=takes_focus,
    )


def _returning_page(place: Place, chosen: ProductLicences) -> str:
    """The address of where idle licences are returned; empty where that saves nothing, or is not allowed."""
    saving, interval = chosen.saving, chosen.status.interval
    if saving is None or interval is None or not may_change(place, chosen.subscription):
        return ""
    return url_for(
        "licence_change.show",
        slug=place.workspace.slug,
        product=chosen.product.code,
        plan=chosen.status.plan.code,
        licences=chosen.paid - saving.returned,
        interval=interval.value,
    )


def _notes(chosen: ProductLicences) -> list[str]:
    """Why nothing can be assigned, or less than one would think, and what idle licences cost."""
    if not chosen.is_assignable:
        return [_not_assignable(chosen.status.state)]
    notes = []
    fewer = chosen.subscription.scheduled_quantity
    if fewer is not None and fewer < chosen.paid and chosen.status.due_on is not None:
        notes.append(
            ngettext(
                "From %(date)s there will be %(num)d licence, so only %(num)d can be assigned. Withdraw the "
                "change to assign more.",
                "From %(date)s there will be %(num)d licences, so only %(num)d can be assigned. Withdraw the "
                "change to assign more.",
                fewer,
                date=formatting.day(chosen.status.due_on),
            )
        )
    elif chosen.free < chosen.idle:
        notes.append(
            _(
                "A payment for fewer licences is in progress: until its result is known, no more can be "
                "assigned than it pays for."
            )
        )
    elif chosen.free == 0:
        notes.append(_("Every licence is assigned: take one back, or give one to someone else."))
    if saving := chosen.saving:
        amount = formatting.money(saving.amount)
        notes.append(
            ngettext(
                "%(num)d licence is assigned to nobody.",
                "%(num)d licences are assigned to nobody.",
                chosen.idle,
            )
            + " "
            + (
                ngettext(
                    "Returning %(num)d licence would save %(amount)s a year, before tax.",
                    "Returning %(num)d licences would save %(amount)s a year, before tax.",
                    saving.returned,
                    amount=amount,
                )
                if chosen.status.interval == Interval.YEAR
                else ngettext(
                    "Returning %(num)d licence would save %(amount)s a month, before tax.",
                    "Returning %(num)d licences would save %(amount)s a month, before tax.",
                    saving.returned,
                    amount=amount,
                )
            )
        )
    return notes


def _not_assignable(state: SubscriptionState) -> str:
    if state == SubscriptionState.BLOCKED:
        return _(
            "This product is blocked until it is paid for: no licence can be assigned. You can still take "
            "licences back."
        )
    return _("This product has ended: no licence can be assigned. You can still take licences back.")


# --- assigning and taking back --------------------------------------------------------------------


@blueprint.post("/<product>/assign")
@workspace_right(Right.MANAGE_MEMBERS)
def assign(place: Place, product: str) -> Response:
    """To the member of the button, or to all who were ticked, or to nobody."""
    return _change(
        place,
        product,
        lambda chosen, ids: licences.assign(
            chosen.subscription, ids, by=_reader(), now=current().clock.now()
        ),
        _assigned_words,
    )


@blueprint.post("/<product>/take-back")
@workspace_right(Right.MANAGE_MEMBERS)
def take_back(place: Place, product: str) -> Response:
    """From the member of the button, or from all who were ticked."""
    return _change(
        place,
        product,
        lambda chosen, ids: licences.take_back(chosen.subscription, ids, now=current().clock.now()),
        _taken_back_words,
    )


def _change(
    place: Place,
    product: str,
    act: Callable[[ProductLicences, Sequence[int]], Sequence[Member]],
    words: Callable[[Sequence[Member]], str],
) -> Response:
    """The list again, where the reader was. What is refused stays ticked, with the reason above it."""
    chosen = _product(licences.all_of(place.workspace, today=today_here(place)), product)
    asked, wanted = Asked.of_request(), _wanted(place)
    if not wanted:
        return _again(place, product, asked, problem=_("Nothing was changed: select the members first."))
    try:
        changed = act(chosen, wanted)
    except NotEnoughLicences as refusal:
        shown = request.form.get("free", "")
        was_faster = is_number(shown) and int(shown) != refusal.free
        return _again(
            place,
            product,
            asked,
            problem=_too_few(refusal, shown=int(shown) if was_faster else None),
            ticked=wanted,
            status=409 if was_faster else 422,
        )
    except NotAssignable as refusal:
        return _again(
            place, product, asked, problem=_not_assignable(refusal.state), ticked=wanted, status=409
        )
    except CannotHoldLicence:
        problem = _(
            "Nothing was changed: some of the people you selected are disabled, or no members any more."
        )
        return _again(place, product, asked, problem=problem, ticked=wanted, status=409)
    done = words(changed)
    if wants_part():
        return _again(place, product, asked, done=done, status=200)
    flash(done, "done")
    return redirect_after_write(asked.address(place, product))


def _wanted(place: Place) -> list[int]:
    """The member of the button that was pressed, or those who were ticked. 404 where the one is nobody's."""
    only = request.form.get("only")
    if only is not None:
        if not is_number(only) or roster.find_member(place.workspace, int(only)) is None:
            abort(404)
        return [int(only)]
    ticked = request.form.getlist("member")
    if len(ticked) > ROWS_OF_A_PAGE:
        abort(422)
    return sorted({int(text) for text in ticked if is_number(text)})


def _again(
    place: Place,
    product: str,
    asked: Asked,
    *,
    problem: str = "",
    ticked: Sequence[int] = (),
    done: str = "",
    status: int = 422,
) -> Response:
    """The page as it is now, read anew."""
    products = licences.all_of(place.workspace, today=today_here(place))
    chosen = _product(products, product)
    return _page(place, products, chosen, asked, problem=problem, ticked=ticked, done=done, status=status)


def _too_few(refusal: NotEnoughLicences, *, shown: int | None) -> str:
    """With both figures; `shown`: how many were free when the page was opened, where that has changed."""
    wanted = ngettext(
        "%(num)d licence was to be assigned.", "%(num)d licences were to be assigned.", refusal.wanted
    )
    free = ngettext("%(num)d is free.", "%(num)d are free.", refusal.free)
    if shown is None:
        return " ".join((_("Nothing was changed."), wanted, free))
    faster = ngettext(
        "Somebody was faster: when you opened this page %(num)d licence was free.",
        "Somebody was faster: when you opened this page %(num)d licences were free.",
        shown,
    )
    now_free = ngettext("Now %(num)d is free.", "Now %(num)d are free.", refusal.free)
    return " ".join((_("Nothing was changed."), faster, now_free, wanted))


def _assigned_words(members: Sequence[Member]) -> str:
    if not members:
        return _("They had a licence already.")
    if len(members) == 1:
        return _("%(name)s now has a licence.", name=name_of(members[0]))
    return _("%(number)s members now have a licence.", number=len(members))


def _taken_back_words(members: Sequence[Member]) -> str:
    if not members:
        return _("They had no licence any more.")
    if len(members) == 1:
        return _("The licence of %(name)s is free again.", name=name_of(members[0]))
    return _("%(number)s licences are free again.", number=len(members))


# --- to somebody else -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReassignPage:
    """Whose licence of which product it is, and who could have it. `older` is an address, or empty."""

    product: str
    product_name: str
    holder_id: int
    holder_name: str
    asked: Asked
    rows: Sequence[MemberRow]
    older: str
    back: str
    problem: str = ""


@blueprint.route(f"/<product>/{MEMBER}/reassign", methods=["GET", "POST"])
@workspace_right(Right.MANAGE_MEMBERS)
def reassign(place: Place, product: str, member_id: int) -> Response:
    """Choose who has the licence from now on; whoever had it has none then."""
    chosen = _product(licences.all_of(place.workspace, today=today_here(place)), product)
    holder = roster.find_member(place.workspace, member_id)
    if holder is None:
        abort(404)
    if request.method != "POST":
        if chosen.subscription.id not in licences.products_held_by(holder):
            flash(_no_reassigning(LicenceGone(), holder), "error")
            return redirect_after_write(Asked().address(place, product))
        return _reassign_page(place, chosen, holder)
    to = request.form.get("to", "")
    if to and (not is_number(to) or roster.find_member(place.workspace, int(to)) is None):
        abort(404)
    if not to:
        problem = _("Choose who is to have the licence.")
        return _reassign_page(place, chosen, holder, problem=problem, status=422)
    try:
        before, after = licences.reassign(
            chosen.subscription, member_id, int(to), by=_reader(), now=current().clock.now()
        )
    except (LicenceGone, HasLicence, NotAssignable, CannotHoldLicence) as refusal:
        return _reassign_page(place, chosen, holder, problem=_no_reassigning(refusal, holder), status=409)
    flash(
        _(
            "The licence of %(before)s is now that of %(after)s.",
            before=name_of(before),
            after=name_of(after),
        ),
        "done",
    )
    return redirect_after_write(Asked().address(place, product))


def _no_reassigning(
    refusal: LicenceGone | HasLicence | NotAssignable | CannotHoldLicence, holder: Member
) -> str:
    match refusal:
        case NotAssignable():
            return _not_assignable(refusal.state)
        case LicenceGone():
            return _("%(name)s has no licence any more: somebody took it back.", name=name_of(holder))
        case HasLicence():
            return _("This person has a licence of their own already. Choose somebody else.")
    return _("This person is disabled, or no member any more. Choose somebody else.")


def _reassign_page(
    place: Place, chosen: ProductLicences, holder: Member, *, problem: str = "", status: int = 200
) -> Response:
    asked = Asked.of_request()
    found: LicencePage = licences.list_members(
        chosen.subscription, search=asked.search, holds=False, before=asked.before, limit=ROWS_OF_A_PAGE
    )
    status_here(place)
    product = chosen.product.code
    older = ""
    if found.older:
        older = url_for(
            "licences.reassign",
            slug=place.workspace.slug,
            product=product,
            member_id=holder.id,
            q=asked.search or None,
            before=found.older,
        )
    return render(
        "members/reassign_licence.html",
        ReassignPage(
            product=product,
            product_name=translated(chosen.product.names),
            holder_id=holder.id,
            holder_name=name_of(holder),
            asked=replace(asked, holds="without"),
            rows=[_member_row(place, row, ticked=()) for row in found.rows],
            older=older,
            back=Asked().address(place, product),
            problem=problem,
        ),
        status=422 if asked.problem and status == 200 else status,
    )


# --- what they share ------------------------------------------------------------------------------


def _product(products: Sequence[ProductLicences], code: str) -> ProductLicences:
    """The workspace's own; 404 for any other."""
    found = next((each for each in products if each.product.code == code), None)
    if found is None:
        abort(404)
    return found


def _reader() -> Person:
    return current_user._get_current_object()
