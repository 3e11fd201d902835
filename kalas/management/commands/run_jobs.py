import asyncio
import logging
import os
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandParser
from procrastinate import App, exceptions
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params

from kalas import tasks

logger = logging.getLogger(__name__)

EXIT_DATABASE_LOST = 75
GRACE_S = 20


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
    jobs_app = app.with_connector(app.connector.get_worker_connector())  # type: ignore[attr-defined]
    async with jobs_app.open_async():
        await tasks.requeue_stalled_jobs(jobs_app=jobs_app, now=datetime.now(UTC))
        watchers = [
            asyncio.create_task(_requeue_for_ever(jobs_app)),
            asyncio.create_task(_end_with_the_database()),
        ]
        try:
            await jobs_app.run_worker_async(
                name=f"jobs-{os.getpid()}",
                concurrency=concurrency,
                wait=wait,
                delete_jobs="successful",
                shutdown_graceful_timeout=GRACE_S,
                update_heartbeat_interval=tasks.HEARTBEAT_S,
                stalled_worker_timeout=tasks.STALLED_AFTER_S,
            )
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)


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
