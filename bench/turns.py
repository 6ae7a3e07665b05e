"""`python -m bench.turns COUNT EACH`: for each line that comes, some renewals among so many subscriptions.

Says as JSON how many seconds they took, of the clock and of the processor. Runs in the tree of an earlier
commit too: it asks only for what that one's bench/billing_run.py has as well.
"""

import json
import sys
import time

from bench import billing_run
from portal.settings import read_settings


def main(count: int, each: int) -> None:
    # As it was called before services had folders.
    run = getattr(billing_run, "run", None) or billing_run.due
    clock = billing_run.begin(read_settings(), count)
    print("ready", flush=True)
    for turn, _line in enumerate(sys.stdin):
        if turn % (count // each) == 0:
            billing_run.renewing.go_to_the_due_date(clock)
        began, cpu_began = time.perf_counter(), time.process_time()
        report = run.run_due(now=clock.now(), limit=each)
        took = {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu_began}
        assert report["payments_settled"] == each, report
        print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
