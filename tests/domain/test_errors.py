"""A refusal says all its facts, and no other."""

import pytest

from portal.domain.errors import LastOwner, QuoteChanged
from portal.domain.plans import PlanChoice, PlanNotOffered
from portal.domain.vocabulary import Interval


def test_facts_are_attributes():
    refusal = QuoteChanged(shown="a", current="b")
    assert (refusal.shown, refusal.current) == ("a", "b")
    assert str(refusal) == "shown='a', current='b'"


@pytest.mark.parametrize("facts", [{}, {"shown": "a"}, {"shown": "a", "current": "b", "old": "c"}])
def test_a_fact_that_is_missing_or_not_declared_is_our_mistake(facts):
    with pytest.raises(TypeError):
        QuoteChanged(**facts)


def test_a_refusal_without_facts():
    assert str(LastOwner()) == ""
    with pytest.raises(TypeError):
        LastOwner(person=1)


def test_a_choice_is_read_as_it_is_written():
    choice = PlanChoice("business-5", Interval.YEAR)
    assert str(choice) == "business-5:year"
    assert PlanChoice.read("business-5:year") == choice


@pytest.mark.parametrize(
    "text", ["", "business-3", "business-3:", "business-3:week", "business-3:MONTH", ":", "a:b:c"]
)
def test_an_unknown_word_is_refused_and_never_guessed(text):
    with pytest.raises(PlanNotOffered):
        PlanChoice.read(text)
