"""Jobs alone: enqueued with the unit, run by a worker; one fails for good."""

import time

from postrmagic_core.database import DatabaseManager
from postrmagic_core.jobs import JobContext, JobQueue, task


@task(retries=0, time_limit=5)
def share(ctx: JobContext, posters: int, guests: int) -> float:
    with ctx.write():  # what is written here is written once, whatever dies
        return posters / guests


url = "sqlite:///app.db"
with DatabaseManager(url) as db, JobQueue(url, database=db) as jobs:
    db.upgrade()
    jobs.include(share)
    with db.write() as tx:
        good, bad = (jobs.enqueue(share.call(6, guests), tx=tx) for guests in (3, 0))
    with jobs.worker(threads=2):
        print(jobs.result(good.id))
        while not jobs.find({"failed"}):
            time.sleep(0.05)
    print([(job.id == bad.id, job.reason, job.error) for job in jobs.find({"failed"})])
