"""Jobs that work off rows of a table: one for each lane, however much waits there.

Procrastinate runs a lane's job in one place at a time (`lock`) and queues it once
(`queueing_lock`). So what takes its time in one lane holds up no other, and waking a lane that is
awake costs nothing.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from django.db import connection

# Procrastinate's own deferring would fail, and the transaction with it, where the job is queued.
_WAKE = """
INSERT INTO procrastinate_jobs AS job
    (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
VALUES (%(queue)s, %(task)s, %(priority)s, %(lane)s, %(lane)s, %(args)s::jsonb, %(at)s)
ON CONFLICT (queueing_lock) WHERE status = 'todo'
DO UPDATE SET scheduled_at = least(job.scheduled_at, excluded.scheduled_at)
"""


def wake(
    lane: str,
    *,
    task: str,
    args: Mapping[str, object],
    queue: str,
    at: datetime,
    priority: int = 0,
) -> None:
    """See to it, with the running transaction, that the lane's job runs at `at` at the latest.

    Who wakes several in one transaction does so in the order of their names.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _WAKE,
            {
                "lane": lane,
                "task": task,
                "args": json.dumps(args),
                "queue": queue,
                "at": at,
                "priority": priority,
            },
        )
