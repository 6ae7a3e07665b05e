"""Small worlds that live 400 days with people, failing gateways and absent workers; more: `make simulate`.

A failure names its seed: `python -m tests.simulation --first SEED --seeds 1 --story` lives through it again.
"""

import pytest

from tests.simulation.world import make_world

SQLITE_SEEDS = range(1, 6)
POSTGRESQL_SEEDS = range(101, 102)


def live(settings, clock, seed):
    world = make_world(settings, clock, seed=seed)
    world.live()
    assert world.summary()["invoices"] > 0


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("seed", SQLITE_SEEDS)
def test_a_world_on_sqlite_keeps_its_promises(runtime, settings, clock, seed):
    live(settings, clock, seed)


@pytest.mark.engine("postgresql")
@pytest.mark.parametrize("seed", POSTGRESQL_SEEDS)
def test_a_world_on_postgresql_keeps_its_promises(runtime, settings, clock, seed):
    live(settings, clock, seed)
