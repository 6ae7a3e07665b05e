"""Runs side by side, killed at random points of many renewals: each renewal is charged and invoiced once.

Nothing in the product helps: the script of a killed process wraps the gateway and ends its own process there
(trust.md §1, rows 1, 2 and 7). The seed is shown with a failure.
"""

import random
import signal

import pytest

from portal.domain.vocabulary import OrderState, PaymentState
from portal.models import Invoice, Order, Payment, Subscription
from portal.services.renewals import run
from tests.books import assert_books_clean
from tests.matrix import FULL
from tests.paying import paid_charges
from tests.processes import exit_codes_of
from tests.renewing import many_renewing, renewal_orders

pytestmark = pytest.mark.both_engines

RENEWALS = 500 if FULL else 100
PROCESSES = 8 if FULL else 3
MOST_CALLS = 45 if FULL else 30
"""So many calls of all runs together are fewer than there are renewals: one of them must die."""
RUN = """
import os, signal, threading
from portal.runtime import current
from portal.services.renewals import run

calls, after_the_charge = facts["deaths"][facts["share"]]
counted, lock = 0, threading.Lock()

class Killer:
    def __init__(self, sandbox):
        self.sandbox = sandbox
    def __getattr__(self, name):
        return getattr(self.sandbox, name)
    def charge(self, request):
        global counted
        with lock:
            counted += 1
            dies = counted == calls
        if dies and not after_the_charge:
            os.kill(os.getpid(), signal.SIGKILL)
        outcome = self.sandbox.charge(request)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return outcome

killer = Killer(current().gateways["sandbox"])
runtime.install(runtime.Runtime(current().settings, clock, {"sandbox": killer}))
clock.set(clock.now().fromisoformat(facts["now"]))
# A run that finds everything locked by the others ends, and begins again as the worker would.
while run.count_due(clock.now()):
    run.run_due(now=clock.now())
"""


@pytest.fixture
def renewals_due(runtime, clock):
    """So many workspaces whose plan is due today, with a card that pays."""
    many_renewing(RENEWALS)
    clock.advance(days=30)
    clock.advance_wall(days=30)


def test_runs_that_are_killed_charge_each_renewal_once(renewals_due, environment, clock, record_property):
    seed = random.randrange(2**32)
    record_property("seed", seed)
    chance = random.Random(seed)
    deaths = [(chance.randint(1, MOST_CALLS), chance.random() < 0.5) for _ in range(PROCESSES)]
    codes = exit_codes_of(PROCESSES, RUN, environment, deaths=deaths, now=clock.now().isoformat())
    assert PROCESSES * MOST_CALLS < RENEWALS
    assert codes.count(-signal.SIGKILL) > 0
    assert Order.select().where(Order.state == OrderState.PLACED).count() > 0
    # What the dead had asked for is looked up; what they had not asked for is asked for.
    for _ in range(3):
        clock.advance_wall(minutes=10)
        run.run_due(now=clock.now())
    renewals = renewal_orders()
    assert renewals.where(Order.state == OrderState.PAID).count() == RENEWALS
    assert len(paid_charges()) == 2 * RENEWALS
    assert Invoice.select().count() == 2 * RENEWALS
    assert Payment.select().where(Payment.state == PaymentState.SUCCEEDED).count() == 2 * RENEWALS
    assert Subscription.select().where(Subscription.renewal_failed_on.is_null(False)).count() == 0
    assert_books_clean()
