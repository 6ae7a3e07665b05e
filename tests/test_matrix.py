"""What a run takes of the matrix: by turns, never nothing, and everything with FULL=1."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import matrix
from tests.conftest import ENGINES, longest_tests, of_the_other_engine

ROOT = Path(__file__).resolve().parent.parent
CHOICES = st.lists(st.integers(), min_size=1, max_size=40, unique=True)


@pytest.fixture(autouse=True, scope="module")
def not_full():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix, "FULL", False)
        yield


@given(CHOICES, st.integers(0, 100), st.sampled_from([matrix.SHARES, 2, 12]))
def test_as_many_turns_in_a_row_as_shares_have_had_every_value(values, first, shares):
    taken = [matrix.share(values, first + turn, shares=shares) for turn in range(shares)]
    assert all(taken)
    assert {value for share in taken for value in share} == {*values}


@given(CHOICES, st.integers(0, 100), st.integers(1, 3))
def test_as_many_turns_as_choices_have_had_each_of_them(choices, first, at_least):
    chosen = [matrix.taking_turns(choices, first + turn, at_least=at_least) for turn in range(len(choices))]
    assert {len(each) for each in chosen} == {min(at_least, len(choices))}
    assert {choice for each in chosen for choice in each} == {*choices}


@dataclass(frozen=True)
class Collected:
    """A test as pytest has collected it."""

    nodeid: str
    callspec: SimpleNamespace
    marks: frozenset[str]

    def get_closest_marker(self, name):
        return name if name in self.marks else None

    def __hash__(self):
        return hash(self.nodeid)


def on_both(name, *marks, case="x"):
    return [
        Collected(f"{name}[{engine}-{case}]", SimpleNamespace(params={"engine": engine}), frozenset(marks))
        for engine in ENGINES
    ]


def test_engines_take_turns_where_no_money_moves_and_nothing_is_locked(monkeypatch):
    usual = [on_both(f"test_{n}") for n in range(40)]
    others = [*on_both("test_money", "both_engines"), *on_both("test_lock", "engine")]
    everything = [*others, *(test for both in usual for test in both)]
    left = of_the_other_engine(everything)
    assert all(len({*both} & left) == 1 for both in usual)
    assert {test.callspec.params["engine"] for test in left} == {*ENGINES}
    assert not {*others} & left
    assert of_the_other_engine(usual[0][:1]) == of_the_other_engine(usual[0][1:]) == set()
    monkeypatch.setattr(matrix, "FULL", True)
    assert of_the_other_engine(everything) == set()


def test_the_cases_of_a_test_share_the_engines(monkeypatch):
    cases = [on_both("test_prices", case=str(number)) for number in range(5)]
    races = [on_both("test_race", "engine", case=str(number)) for number in range(5)]
    everything = [test for both in [*cases, *races] for test in both]
    left = of_the_other_engine(everything)
    assert all(len({*both} & left) == 1 for both in cases)
    assert {test.callspec.params["engine"] for test in left} == {*ENGINES}
    assert not {test for both in races for test in both} & left
    monkeypatch.setattr(matrix, "FULL", True)
    assert of_the_other_engine(everything) == set()


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
