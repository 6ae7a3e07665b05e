"""Who may do what: every cell of the table of product.md §2, and its five notes."""

from itertools import product

import pytest

from portal.domain.rights import rights_of
from portal.domain.vocabulary import MemberStatus, Right, Role, WhoMayBuy

# product.md §2. An upgrader is a plain member with the flag.
COLUMNS = ("owner", "billing_manager", "upgrader", "admin", "member")
TABLE = {
    # right                      owner  billing upgrader admin member
    Right.SEE_PLANS: "x x x x x",
    Right.ASK: "x x x x x",
    Right.BUY: "x x x x x",  # Note 3: any full member, the default.
    Right.APPROVE: "x x x x x",  # Buying without a ceiling, so for others too.
    Right.AUTO_RENEWAL: "x x x - -",
    Right.REFUND: "x x x - -",
    Right.USE_SAVED_METHODS: "x x x - -",
    Right.MANAGE_PAYMENT_METHODS: "x x x - -",
    Right.SEE_HISTORY: "x x x x x",
    Right.SEE_BILLING_DETAILS: "x x x x -",  # For members the statement comes without them.
    Right.DOWNLOAD_DOCUMENTS: "x x x x -",
    Right.BILLING_SETTINGS: "x x x - -",
    Right.MANAGE_MEMBERS: "x - - x -",
    Right.DELETE_WORKSPACE: "x - - - -",
}
CELLS = [
    (column, right, mark == "x")
    for right, marks in TABLE.items()
    for column, mark in zip(COLUMNS, marks.split(), strict=True)
]


def rights(
    column="member",
    *,
    status=MemberStatus.ACTIVE,
    who=WhoMayBuy.ANY_MEMBER,
    hides=False,
    flag=False,
    ceiling=False,
):
    is_upgrader = flag or column == "upgrader"
    return rights_of(
        role=Role.MEMBER if column == "upgrader" else Role(column),
        status=status,
        is_upgrader=is_upgrader,
        who_may_buy=who,
        hides_plans_from_members=hides,
        has_ceiling=ceiling,
    )


@pytest.mark.parametrize(("column", "right", "may"), CELLS)
def test_a_cell_of_the_table(column, right, may):
    assert (right in rights(column)) == may


def test_every_right_has_its_row():
    """Workspace settings (name, zone, language) are no row of the table, so they are the owner's."""
    assert set(Right) - set(TABLE) == {Right.MANAGE_WORKSPACE}
    assert [column for column in COLUMNS if Right.MANAGE_WORKSPACE in rights(column)] == ["owner"]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("status", [MemberStatus.GUEST, MemberStatus.DISABLED])
@pytest.mark.parametrize("who", list(WhoMayBuy))
def test_guests_and_disabled_members_may_nothing_whatever_they_are(column, status, who):
    """Note 1: an upgrader keeps access until disabled or made a guest."""
    assert rights(column, status=status, who=who, flag=True) == frozenset()


@pytest.mark.parametrize(("column", "may"), list(zip(COLUMNS, (True, True, True, False, False), strict=True)))
def test_only_owners_and_billing_managers_buy_where_the_setting_says_so(column, may):
    """Note 3. Upgraders have the rights of billing."""
    assert (Right.BUY in rights(column, who=WhoMayBuy.BILLING)) == may


@pytest.mark.parametrize("column", COLUMNS)
def test_whoever_sees_the_prices_asks(column):
    for who, hides in product(WhoMayBuy, (False, True)):
        found = rights(column, who=who, hides=hides)
        assert (Right.ASK in found) == (Right.SEE_PLANS in found)


@pytest.mark.parametrize("who", list(WhoMayBuy))
@pytest.mark.parametrize(("column", "may"), list(zip(COLUMNS, (True, True, True, False, False), strict=True)))
def test_with_a_ceiling_everybody_buys_and_billing_alone_approves(column, may, who):
    """Whoever else may buy: a ceiling is how far members buy alone (docs/adr/0030)."""
    found = rights(column, who=who, ceiling=True)
    assert (Right.BUY in found, Right.APPROVE in found) == (True, may)


@pytest.mark.parametrize("who", list(WhoMayBuy))
@pytest.mark.parametrize("column", COLUMNS)
def test_without_a_ceiling_whoever_buys_approves(column, who):
    found = rights(column, who=who)
    assert (Right.BUY in found) == (Right.APPROVE in found)


@pytest.mark.parametrize(("column", "may"), list(zip(COLUMNS, (True, True, True, True, False), strict=True)))
def test_plans_and_history_can_be_kept_from_plain_members(column, may):
    """Note 2; and who does not see the plans cannot buy one."""
    kept = rights(column, hides=True)
    assert (Right.SEE_PLANS in kept, Right.SEE_HISTORY in kept) == (may, may)
    if not may:
        assert kept == frozenset()


def test_whoever_buys_sees_the_history():
    """So that a preview may name the invoices of which it gives something back."""
    flags = (False, True)
    for column, who, hides, ceiling, flag in product(COLUMNS, WhoMayBuy, flags, flags, flags):
        may = rights(column, who=who, hides=hides, ceiling=ceiling, flag=flag)
        assert Right.BUY not in may or Right.SEE_HISTORY in may


def test_the_flag_adds_and_never_takes_away():
    for column, who, hides in product(COLUMNS, WhoMayBuy, (False, True)):
        assert rights(column, who=who, hides=hides) <= rights(column, who=who, hides=hides, flag=True)


def test_an_admin_with_the_flag_keeps_what_an_admin_may():
    assert rights("admin", flag=True) == rights("admin") | rights("billing_manager")


def test_nobody_may_more_than_the_owner():
    for column, who, hides in product(COLUMNS, WhoMayBuy, (False, True)):
        assert rights(column, who=who, hides=hides, flag=True) <= rights("owner", who=who, hides=hides)
