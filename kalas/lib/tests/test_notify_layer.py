import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import transaction

from kalas.lib import embedded_postgres
from kalas.lib.notify_layer import MessageTooLong, NotifyChannelLayer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def layer() -> AsyncIterator[NotifyChannelLayer]:
    return NotifyChannelLayer(capacity=3)


async def receive(layer: NotifyChannelLayer, channel: str) -> dict[str, object]:
    return await asyncio.wait_for(layer.receive(channel), 10)


async def test_a_group_gets_what_is_sent_to_it(layer):
    first, second, outsider = [await layer.new_channel() for _ in range(3)]
    await layer.group_add("shop.1", first)
    await layer.group_add("shop.1", second)
    await layer.group_add("shop.2", outsider)

    await layer.group_send("shop.1", {"type": "hint", "id": "1"})
    await layer.group_send("shop.2", {"type": "hint", "id": "2"})

    assert await receive(layer, first) == {"type": "hint", "id": "1"}
    assert await receive(layer, second) == {"type": "hint", "id": "1"}
    assert await receive(layer, outsider) == {"type": "hint", "id": "2"}


async def test_a_channel_that_left_gets_nothing_more(layer):
    channel = await layer.new_channel()
    await layer.group_add("shop.1", channel)
    await layer.group_discard("shop.1", channel)

    await layer.group_send("shop.1", {"type": "missed"})
    await layer.send(channel, {"type": "direct"})

    assert await receive(layer, channel) == {"type": "direct"}


def test_a_rolled_back_transaction_sends_nothing():
    layer = NotifyChannelLayer()

    async def send_and_receive() -> dict[str, object]:
        channel = await layer.new_channel()
        await layer.group_add("shop.1", channel)
        await asyncio.to_thread(send_both)
        return await receive(layer, channel)

    def send_both() -> None:
        with transaction.atomic():
            async_to_sync(layer.group_send)("shop.1", {"type": "rolled.back"})
            transaction.set_rollback(True)
        async_to_sync(layer.group_send)("shop.1", {"type": "committed"})
        transaction.get_connection().close()

    assert asyncio.run(send_and_receive()) == {"type": "committed"}


async def test_refuses_a_message_that_no_notification_can_carry(layer):
    with pytest.raises(MessageTooLong):
        await layer.group_send("shop.1", {"type": "hint", "text": "x" * 8000})


async def test_tells_its_channels_when_the_database_came_back(layer):
    channel = await layer.new_channel()
    await layer.group_add("shop.1", channel)

    terminate_listeners()

    assert await receive(layer, channel) == {"type": "layer.restored"}


async def test_forgets_the_channel_of_a_consumer_that_ended(layer):
    channel = await layer.new_channel()
    await layer.group_add("shop.1", channel)
    task = asyncio.create_task(layer.receive(channel))
    await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    listener = layer._listener()
    assert not listener.queues
    assert not listener.groups


async def test_drops_a_channel_that_nobody_reads(layer):
    deaf, reader = await layer.new_channel(), await layer.new_channel()
    await layer.group_add("shop.1", deaf)

    for _ in range(4):
        await layer.group_send("shop.1", {"type": "hint"})
    await layer.send(reader, {"type": "last"})

    assert await receive(layer, reader) == {"type": "last"}
    assert deaf not in layer._listener().queues


async def test_does_not_hang_without_a_database(layer, monkeypatch):
    async def refuse(*args, **kwargs):
        raise psycopg.OperationalError("no server")

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", refuse)
    layer.start_timeout_s = 0.2

    with pytest.raises(TimeoutError):
        await layer.group_add("shop.1", await layer.new_channel())


def terminate_listeners() -> None:
    with embedded_postgres.connect(settings.VAR / "postgres") as connection:
        found = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE 'LISTEN kalas%'"
        ).fetchall()
    assert found
