"""The check of the translations, `make lint`: what it refuses."""

import pytest
from babel.messages.catalog import Catalog

from tools import check_translations


def faults_of(french: str) -> list[str]:
    wanted, translated = Catalog(), Catalog(locale="fr")
    wanted.add("Ready?")
    translated.add("Ready?", french)
    return list(check_translations.faults(wanted, translated))


@pytest.mark.parametrize(
    "french",
    [
        "Prêt ?",
        "Prêt\u00a0?",
        "Prêt?",
        "Prêt : oui",
        "Prêt: oui",
        "« prêt\u202f»",
        "«\u202fprêt »",
        "L'essai",
        'Un "essai"',
    ],
)
def test_french_has_its_own_spaces_and_quotation_marks(french):
    assert faults_of(french) == ["not in French typography: 'Ready?'"]


@pytest.mark.parametrize("french", ["Prêt\u202f?", "«\u202fL’essai\u202f»\u202f: https://example.org/"])
def test_well_set_french_passes(french):
    assert faults_of(french) == []


def test_every_sentence_is_translated_and_no_translation_is_left_over():
    wanted = check_translations.sentences()
    assert [
        fault
        for path in check_translations.catalogs()
        for fault in check_translations.faults(wanted, check_translations.read(path))
    ] == []
