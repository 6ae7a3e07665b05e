"""`python -m bench.fill SIZE`: the demo data, in the database that the environment names."""

import dataclasses
import json
import sys
from pathlib import Path

from portal import create_app
from portal.database import connecting as database
from portal.database import migrating
from portal.runtime import current
from portal.settings import read_settings


def main(size: str) -> None:
    from portal.services import catalogue, demo

    settings = read_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    bound = database.bind(settings.database_url)
    migrating.migrate()
    with create_app(settings).app_context(), database.connection():
        now = current().clock.now()
        file = Path("catalogue.toml")
        catalogue.apply(file.read_text(encoding="utf-8"), filename=file.name, now=now)
        print(json.dumps(dataclasses.asdict(demo.build(size=size, seed=1, now=now))))
        if database.is_postgresql():
            # What autovacuum does within minutes of such a load.
            database.database.execute_sql("ANALYZE")
    bound.close_all()


if __name__ == "__main__":
    main(sys.argv[1])
