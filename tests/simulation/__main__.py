"""`python -m tests.simulation [--first SEED] [--seeds N] [--days N] [--story]`: worlds on SQLite."""

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from portal.clock import FixedClock
from portal.database import connecting as database
from portal.database import migrating
from portal.settings import read_settings
from tests.conftest import TODAY
from tests.simulation.world import DAYS, PromiseBroken, make_world


def main() -> int:
    # Gateways that are away are part of the story.
    logging.getLogger("portal").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--story", action="store_true", help="print everything that happens")
    chosen = parser.parse_args()
    broken = 0
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        began = time.monotonic()
        try:
            summary = live(seed, days=chosen.days, story=chosen.story)
        except PromiseBroken as error:
            print(f"BROKEN {error}", flush=True)
            broken += 1
        else:
            print(f"seed {seed}: {summary} in {time.monotonic() - began:.1f} s", flush=True)
    return 1 if broken else 0


def live(seed: int, *, days: int, story: bool) -> dict[str, int]:
    with tempfile.TemporaryDirectory(prefix="portal-simulation-") as folder:
        settings = read_settings(
            {
                "PORTAL_DATABASE_URL": f"sqlite:///{Path(folder) / 'portal.sqlite'}",
                "PORTAL_DATA_DIR": folder,
                "PORTAL_SECRET_KEY": "only-for-tests-" * 4,
                "PORTAL_GATEWAY_RATE": "1000000",
            }
        )
        bound = database.bind(settings.database_url)
        migrating.migrate()
        with database.connection():
            clock = FixedClock(TODAY)
            world = make_world(settings, clock, seed=seed)
            if story:
                world.tell = lambda text: print(f"{clock.now():%Y-%m-%d} day {world.day}: {text}")
            world.live(days)
            summary = world.summary()
        bound.close_all()
    return summary


if __name__ == "__main__":
    sys.exit(main())
