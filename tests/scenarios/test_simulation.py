"""Small worlds that live up to 400 days with people, failing gateways and absent workers.

With FULL=1 a hundred of them on SQLite, and `make simulate` lives through any number.

A failure names its seed: `python -m tests.simulation --first SEED --seeds 1 --story` lives through it again.
"""

import pytest

from portal.domain.invoicing import why_no_e_invoice
from portal.models import Invoice
from tests import judges
from tests.matrix import FULL
from tests.simulation.world import DAYS, make_world

pytestmark = pytest.mark.both_engines

# (seed, days)
SQLITE_WORLDS = [(seed, DAYS) for seed in range(1, 101)] if FULL else [(1, 200)]
POSTGRESQL_WORLDS = [(seed, DAYS) for seed in range(101, 104)] if FULL else [(101, 100)]


def live(settings, clock, seed, days):
    world = make_world(settings, clock, seed=seed)
    world.live(days)
    assert world.summary()["invoices"] > 0


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize(("seed", "days"), SQLITE_WORLDS)
def test_a_world_on_sqlite_keeps_its_promises(runtime, settings, clock, seed, days, tmp_path):
    live(settings, clock, seed, days)
    issued = {invoice.number: invoice.facts for invoice in Invoice.select()}
    assert {why_no_e_invoice(facts) for facts in issued.values()} == {None}
    # Without them tests/documents says, loudly, that nobody was asked.
    if judges.are_here():
        assert judges.faults_of(issued, tmp_path / "issued") == {}


@pytest.mark.engine("postgresql")
@pytest.mark.parametrize(("seed", "days"), POSTGRESQL_WORLDS)
def test_a_world_on_postgresql_keeps_its_promises(runtime, settings, clock, seed, days):
    live(settings, clock, seed, days)
