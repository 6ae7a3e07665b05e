"""The six figures of a change, repeated on the invoice (product.md §4)."""

from datetime import date

from portal.documents.notes import notes_of
from portal.domain.frozen_quote import FrozenLine
from portal.domain.money import Money
from portal.domain.vocabulary import Interval, OrderKind

# 18 → 30 USD on 3 January (docs/adr/0003): 18/31 and 30/31 a day, 28 days, 16.26, 16 days, 19 February.
EXTENSION = {
    "rate_old_minor": 58,
    "rate_new_minor": 97,
    "unused_days": 28,
    "money_left_minor": 1626,
    "extra_days": 16,
}


def a_line(extension):
    return FrozenLine(
        kind=OrderKind.CHANGE,
        plan_code="business-5",
        plan_names={"en": "Business 5", "fr": "Business 5"},
        is_licensed=False,
        interval=Interval.MONTH,
        price_id=1,
        quantity=1,
        billed_quantity=1,
        unit=Money(3000, "USD"),
        net=Money(3000, "USD"),
        rate_bp=0,
        tax=Money(0, "USD"),
        start_on=date(2027, 1, 3),
        base_end_on=date(2027, 2, 3),
        due_on=date(2027, 2, 19),
        anchor_day=19,
        extension=extension,
    )


def test_a_change_is_explained_under_its_line():
    notes = notes_of(a_line(EXTENSION))
    assert notes["en"] == [
        "Price per day: $0.58 (old plan), $0.97 (new plan).",
        "Left of the old plan: 28 unused days, worth $16.26.",
        "Extra days: 16. New due date: 19 February 2027.",
    ]
    assert [note.replace("\u00a0", " ").replace("\u202f", " ") for note in notes["fr"]] == [
        "Prix par jour : 0,58 $US (ancien plan), 0,97 $US (nouveau plan).",
        "Reste de l’ancien plan : 28 journées non utilisées, soit 16,26 $US.",
        "Jours de prolongation : 16. Nouvelle échéance : 19 février 2027.",
    ]


def test_a_purchase_needs_no_note():
    assert notes_of(a_line(None)) == {"en": [], "fr": []}
