"""What a run takes of the matrix: by turns, never nothing, and everything with FULL=1."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import matrix
from tests.conftest import longest_tests

ROOT = Path(__file__).resolve().parent.parent
CHOICES = st.lists(st.integers(), min_size=1, max_size=40, unique=True)


@pytest.fixture(autouse=True, scope="module")
def not_full():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix, "FULL", False)
        yield


@given(CHOICES, st.integers(0, 100))
def test_six_turns_in_a_row_have_had_every_value(values, first):
    shares = [matrix.share(values, first + turn) for turn in range(matrix.SHARES)]
    assert all(shares)
    assert {value for share in shares for value in share} == {*values}


@given(CHOICES, st.integers(0, 100), st.integers(1, 3))
def test_as_many_turns_as_choices_have_had_each_of_them(choices, first, at_least):
    chosen = [matrix.taking_turns(choices, first + turn, at_least=at_least) for turn in range(len(choices))]
    assert {len(each) for each in chosen} == {min(at_least, len(choices))}
    assert {choice for each in chosen for choice in each} == {*choices}


def test_no_values_have_no_share():
    assert matrix.share([], 3) == []


def test_the_whole_matrix_is_everything(monkeypatch):
    monkeypatch.setattr(matrix, "FULL", True)
    assert matrix.share("abc", 1) == ["a", "b", "c"]
    assert matrix.taking_turns("abc", 1) == ["a", "b", "c"]


def test_the_tests_that_take_longest_exist():
    for name in longest_tests():
        path, _, test = name.partition("::")
        assert f"def {test}(" in (ROOT / path).read_text(), name
