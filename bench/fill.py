"""`python -m bench.fill SIZE`: the demo data, in the database that the environment names.

And a workspace "many" beside it, with so many subscriptions and an order of so many lines that is to be paid.
"""

import dataclasses
import json
import sys

from portal import create_app
from portal.database import connecting as database
from portal.database import migrating
from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval
from portal.runtime import current
from portal.settings import read_settings
from tests import factories, paying
from tests.licensed import bought, catalogue_with

SUBSCRIPTIONS = 40
ORDER_LINES = 20


def main(size: str) -> None:
    from portal.services import demo

    settings = read_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    bound = database.bind(settings.database_url)
    migrating.migrate()
    with create_app(settings).app_context(), database.connection():
        now = current().clock.now()
        paying.apply_catalogue(catalogue_with(SUBSCRIPTIONS + ORDER_LINES))
        report = dataclasses.asdict(demo.build(size=size, seed=1, now=now))
        print(json.dumps({**report, "many": many_products()}))
        if database.is_postgresql():
            # What autovacuum does within minutes of such a load.
            database.database.execute_sql("ANALYZE")
    bound.close_all()


def many_products() -> dict[str, str]:
    """Bought one by one and renewed by the same card; the next ones stand on an order."""
    from portal.services.checkout import ordering

    owner = factories.a_person("owner@many.example")
    place = factories.seen_by(owner, factories.a_workspace("Many", owner=owner))
    payment = paying.pay(paying.an_order(place), auto_renewal=True)
    for number in range(SUBSCRIPTIONS):
        bought(place, f"p{number}-standard", renews_with=payment.method)
    choices = [
        Choice(f"p{SUBSCRIPTIONS + number}-standard", Interval.MONTH, 3) for number in range(ORDER_LINES)
    ]
    opened = ordering.open_order(place, choices=choices, currency="EUR", now=current().clock.now())
    order = paying.with_details(opened, place)
    return {
        "owner": owner.email,
        "password": factories.PASSWORD,
        "slug": place.workspace.slug,
        "order": order.number,
    }


if __name__ == "__main__":
    main(sys.argv[1])
