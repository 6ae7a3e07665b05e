"""The corpus of forty files: written down as its script makes them, and read as each of them says."""

import pytest

from portal.domain.bank_files.camt import read_camt
from portal.domain.bank_files.lines import BankFileRefused
from tests.bank_corpus import CORPUS, FOLDER
from tests.transferring import SELLER_IBAN


def test_there_are_forty_as_the_script_makes_them():
    assert {path.stem: path.read_bytes() for path in FOLDER.glob("*.xml")} == {
        name: case.content for name, case in CORPUS.items()
    }
    assert len(CORPUS) == 40


@pytest.mark.parametrize("name", CORPUS)
def test_a_file_is_read_as_it_says(name):
    case = CORPUS[name]
    content = (FOLDER / f"{name}.xml").read_bytes()
    if case.fault is None:
        found = read_camt(content, account=SELLER_IBAN)
        assert sum(len(each.lines) for each in found) == case.lines
    else:
        with pytest.raises(BankFileRefused) as caught:
            read_camt(content, account=SELLER_IBAN)
        assert caught.value.fault is case.fault
