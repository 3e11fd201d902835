"""Jobs that keep the queue itself healthy."""

import logging
from datetime import datetime

from procrastinate import App, exceptions
from procrastinate.contrib.django import app
from procrastinate.jobs import Status

logger = logging.getLogger(__name__)

HEARTBEAT_S = 2.0
# A worker that is silent for so long is dead: its jobs run again. Tasks are idempotent, so a
# worker that was merely slow does no harm.
STALLED_AFTER_S = 8.0
KEEP_FAILED_JOBS_H = 30 * 24


async def requeue_stalled_jobs(*, jobs_app: App, now: datetime) -> int:
    """Queue the jobs of dead workers again; return how many."""
    requeued = 0
    for job in await jobs_app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
        try:
            await jobs_app.job_manager.retry_job(job, retry_at=now)
        except exceptions.UniqueViolation:
            # Of such jobs one is enough, and the next one waits already, maybe for this one.
            await jobs_app.job_manager.finish_job(job=job, status=Status.FAILED, delete_job=True)
        except exceptions.ConnectorException:
            # Another worker queued it a moment ago, or it ended after all.
            logger.info("Job %s was no longer stalled", job.id)
        else:
            requeued += 1
    if requeued:
        logger.warning("%d jobs of a dead worker were queued again", requeued)
    return requeued


@app.periodic(cron="17 * * * *")
@app.task(queueing_lock="kalas.remove_old_jobs")
async def remove_old_jobs(timestamp: int) -> None:
    """Forget jobs that failed long ago; the successful ones go at once."""
    await app.job_manager.delete_old_jobs(
        nb_hours=KEEP_FAILED_JOBS_H,
        include_failed=True,
        include_cancelled=True,
        include_aborted=True,
    )
