"""A letter is refused where it is promised, not in the worker hours later."""

import pytest

from portal.models import OutboxMessage
from portal.services import letters

pytestmark = pytest.mark.engine("sqlite")


def test_a_letter_that_lacks_a_name_of_its_template_is_not_promised(place):
    with pytest.raises(letters.LetterIncomplete) as refused:
        letters.send(
            "late", to=[], workspace=place.workspace, key="late", context={}, copies_to=["a@b.example"]
        )
    assert refused.value.template == "late"
    assert refused.value.missing == ("blocked_on", "due_on", "licences", "plan_names")
    assert OutboxMessage.get_or_none(OutboxMessage.key.startswith("late")) is None


def test_what_an_included_part_says_is_needed_too(place):
    with pytest.raises(letters.LetterIncomplete) as refused:
        letters.promise("renewed", key="renewed", to="a@b.example", locale="en", context={})
    assert {"facts", "due_on", "total_minor"} <= set(refused.value.missing)


def test_a_secret_counts_as_given():
    assert "path" in letters.names_needed("magic_link")


def test_a_letter_with_a_greeting_of_its_own_needs_no_name():
    assert "name" not in letters.names_needed("invitation")
    assert "name" in letters.names_needed("late")
