import asyncio
import logging
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandParser
from procrastinate import App, PsycopgConnector, exceptions
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params

from annotations import jobs as annotation_jobs
from integrations import jobs as webhook_jobs
from integrations.stores import jobs as store_jobs
from kalas import tasks
from retrieval import jobs as catalogue_jobs

logger = logging.getLogger(__name__)

EXIT_DATABASE_LOST = 75
GRACE_S = 20
# Of what is due, and of a lane whose next job came while the last one ran, nobody is told. One
# looks for all workers of the process, and tells those that have something to do: if each looked,
# a house where nothing happens would take several times as much. They look only in case.
LOOK_EVERY_S = 1.0
WORKERS_LOOK_EVERY_S = 30.0
_TELL = """
SELECT pg_notify(
    'procrastinate_queue_v1#' || queue, json_build_object('type', 'job_inserted', 'job_id', 0)::text
)
FROM unnest(%(queues)s::text[]) AS queue
WHERE EXISTS (
    SELECT FROM procrastinate_jobs WHERE queue_name = queue AND status = 'todo'
        AND (scheduled_at IS NULL OR scheduled_at <= now())
)
"""
# Other people's hosts may take their time; each that does so keeps one of these busy. So does each
# shop that imports, or whose photos came in bulk, for a while at a time.
ASIDE = {
    catalogue_jobs.IMPORT_QUEUE: 4,
    catalogue_jobs.FETCH_QUEUE: 4,
    annotation_jobs.FETCH_QUEUE: 6,
    annotation_jobs.BULK_QUEUE: 4,
    webhook_jobs.QUEUE: 8,
    store_jobs.QUEUE: 8,
}


class Command(BaseCommand):
    help = "Runs queued jobs until it is stopped; start as many as the work needs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=8, help="jobs at once (8)")
        parser.add_argument("--once", action="store_true", help="end when the queue is empty")

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(_run(concurrency=options["concurrency"], wait=not options["once"]))


async def _run(*, concurrency: int, wait: bool) -> None:
    # The worker gets an app with a connector of its own; what tasks defer still goes through
    # Django's connection and with its transaction.
    connector = PsycopgConnector(kwargs=connector_params("default"), configure=_commit_each)
    jobs_app = app.with_connector(connector)
    # Each job runs in a thread; without enough of them one queue would hold up the other.
    threads = ThreadPoolExecutor(concurrency + sum(ASIDE.values()), thread_name_prefix="job")
    asyncio.get_running_loop().set_default_executor(threads)
    async with jobs_app.open_async():
        await tasks.requeue_stalled_jobs(jobs_app=jobs_app, now=datetime.now(UTC))
        watchers = [
            asyncio.create_task(_requeue_for_ever(jobs_app)),
            asyncio.create_task(_tell_for_ever(connector, queues=_list_queues(jobs_app))),
            asyncio.create_task(_end_with_the_database()),
        ]
        try:
            await _run_workers(jobs_app, concurrency=concurrency, wait=wait)
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)


async def _commit_each(connection: psycopg.AsyncConnection[Any]) -> None:
    """All that a worker does is single statements: in transactions, one that only looks for jobs
    would cost twice as much."""
    await connection.set_autocommit(True)


async def _run_workers(jobs_app: App, *, concurrency: int, wait: bool) -> None:
    """One for each queue aside and one for all else, until one of them ends or a signal asks."""
    queues = sorted(set(_list_queues(jobs_app)) - set(ASIDE))
    sizes = [(queues, concurrency), *(([queue], size) for queue, size in ASIDE.items())]
    if not wait:  # what the first defers is for the others, and they defer for the first
        for names, size in [*sizes, sizes[0]]:
            await _run_worker(jobs_app, queues=names, concurrency=size, wait=False)
        return
    workers = [
        asyncio.create_task(_run_worker(jobs_app, queues=names, concurrency=size, wait=True))
        for names, size in sizes
    ]
    _cancel_at_signal(workers)
    await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
    for worker in workers:
        worker.cancel()
    for outcome in await asyncio.gather(*workers, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


async def _run_worker(jobs_app: App, *, queues: list[str], concurrency: int, wait: bool) -> None:
    await jobs_app.run_worker_async(
        name=f"jobs-{os.getpid()}-{queues[0]}",
        queues=queues,
        concurrency=concurrency,
        wait=wait,
        delete_jobs="successful",
        install_signal_handlers=False,
        shutdown_graceful_timeout=GRACE_S,
        fetch_job_polling_interval=WORKERS_LOOK_EVERY_S,
        update_heartbeat_interval=tasks.HEARTBEAT_S,
        stalled_worker_timeout=tasks.STALLED_AFTER_S,
    )


def _cancel_at_signal(workers: list[asyncio.Task[None]]) -> None:
    """A cancelled worker ends its jobs first; the second signal ends the process at once."""
    loop = asyncio.get_running_loop()

    def cancel() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        for worker in workers:
            worker.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, cancel)


def _list_queues(jobs_app: App) -> list[str]:
    return sorted({task.queue for task in jobs_app.tasks.values()})


async def _tell_for_ever(connector: PsycopgConnector, *, queues: list[str]) -> None:
    """Wake the workers of queues in which something is due."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            await connector.execute_query_async(_TELL, queues=queues)
        except exceptions.ConnectorException as error:
            logger.warning("What is due could not be looked up: %s", error)


async def _requeue_for_ever(jobs_app: App) -> None:
    while True:
        await asyncio.sleep(tasks.HEARTBEAT_S)
        try:
            await tasks.requeue_stalled_jobs(jobs_app=jobs_app, now=datetime.now(UTC))
        except exceptions.ConnectorException as error:
            logger.warning("Stalled jobs could not be looked up: %s", error)


async def _end_with_the_database() -> None:
    """End this process when the database server goes away.

    A job whose end could not be stored would stay "doing" for as long as its worker lives,
    so the worker must not outlive the server: the next one queues its jobs again.
    """
    parameters = {**connector_params("default"), "autocommit": True}
    connection = await psycopg.AsyncConnection.connect(**parameters)
    try:
        async with connection:
            await connection.execute("LISTEN kalas_server_is_alive")
            async for _ in connection.notifies():
                pass
    except psycopg.OperationalError as error:
        logger.error("The database went away, so this worker ends: %s", error)
        os._exit(EXIT_DATABASE_LOST)
