"""A person's orders, a bounded stretch at a time: each is seen once, whatever nobody finished."""

import pytest

from portal.domain.vocabulary import OrderState
from portal.models import Order
from portal.services.people import own_orders
from tests.paying import an_open_order

SIZE = 3


def some_orders(place, pattern):
    """One order for each letter, the newest last: P is paid, any other was only opened."""
    orders = [an_open_order(place) for _ in pattern]
    paid = [order.id for order, letter in zip(orders, pattern, strict=True) if letter == "P"]
    Order.update(state=OrderState.PAID).where(Order.id << paid).execute()
    return [order.id for order in orders], paid


def pages_of(place, **options):
    before, pages = None, []
    while not pages or before is not None:
        page = own_orders.orders_of(place.member.person, size=SIZE, before=before, **options)
        pages.append(page)
        before = page.older
    return pages


@pytest.mark.parametrize(
    ("pattern", "pages"),
    [
        ("", [(0, 0)]),
        ("PPP", [(3, 0)]),
        ("PPPP", [(3, 0), (1, 0)]),
        # The first page ends with its third paid order: what is older counts on the next one.
        ("ooPoPPoP", [(3, 1), (1, 3)]),
        ("oooooo", [(0, 6)]),
        ("ooooooo", [(0, 6), (0, 1)]),
        ("Poooooooooooo", [(0, 6), (0, 6), (1, 0)]),
    ],
)
def test_pages_show_what_was_finished_and_count_what_was_not(place, pattern, pages):
    ids, paid = some_orders(place, pattern)
    found = pages_of(place)
    assert [(len(page.rows), page.not_finished) for page in found] == pages
    assert [row.order_id for page in found for row in page.rows] == paid[::-1]
    everything = pages_of(place, with_not_finished=True)
    assert [row.order_id for page in everything for row in page.rows] == ids[::-1]
    assert all(len(page.rows) == SIZE for page in everything[:-1])
