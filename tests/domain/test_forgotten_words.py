"""Words that tell who somebody was, taken out of what others read."""

import pytest

from portal.domain.forgotten_words import somebody, without


def cleared(value, *, name="Zoé Li"):
    return without(value, address="zoe@acme.test", name=name, instead="–")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Zoé Li", "–"),
        ("by Zoé Li, today", "by –, today"),
        ("Zoé Lindqvist", "Zoé Lindqvist"),
        ("Write to Zoe@Acme.test.", "Write to –."),
        ("zoe@acme.test.example", "zoe@acme.test.example"),
        ("not-zoe@acme.test", "not-zoe@acme.test"),
    ],
)
def test_whole_names_and_addresses_go_and_no_part_of_another(text, left):
    assert cleared(text) == left


def test_lists_and_entries_are_read_and_the_workspace_keeps_its_name():
    told = {"people": ["Zoé Li", "Leo"], "workspace": "Zoé Li", "slug": "zoe", "total_minor": 5, "by": None}
    assert cleared(told) == {**told, "people": ["–", "Leo"]}


def test_a_word_of_the_program_is_no_name():
    assert cleared({"interval": "month"}, name="month") == {"interval": "month"}
    assert cleared("zoe@acme.test", name="") == "–"


def test_a_language_that_we_do_not_write_is_english():
    assert (somebody("fr"), somebody("de")) == ("Une personne qui est partie", "Someone who has left")
