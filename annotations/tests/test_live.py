import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey
from accounts.tests.factories import make_key, make_member, make_tenant, make_user
from annotations import batches, consumers, live, recording, services
from annotations.models import Annotation
from annotations.reviewing.services import Reviewer, review_annotation
from annotations.tests.factories import make_annotation, make_done_annotation
from kalas.asgi import application

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def close_layer():
    """The layer's listener lives as long as the event loop, which is a test's here."""
    yield
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if "_listen_for_ever" in repr(task.get_coro()):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@sync_to_async
def log_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@asynccontextmanager
async def socket_of(
    client: Client | None,
    *,
    origin: str = "http://localhost",
    path: str = "/ws/live/",
    token: str = "",
):
    headers = [(b"host", b"testserver")]
    if origin:
        headers.append((b"origin", origin.encode()))
    if token:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    if client:
        cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies['sessionid'].value}"
        headers.append((b"cookie", cookie.encode()))
    socket = WebsocketCommunicator(application, path, headers=headers)
    try:
        yield socket
    finally:
        await socket.disconnect()


async def connect(socket, *, groups: int = 1) -> None:
    connected, _ = await socket.connect(timeout=5)
    assert connected
    # The consumer has accepted before it joined its group.
    while not socket.future.done() and count_groups() < groups:
        await asyncio.sleep(0.01)


def count_groups() -> int:
    return sum(len(listener.groups) for listener in get_channel_layer()._listeners.values())


async def closed_with(socket) -> int:
    output = await socket.receive_output(timeout=5)
    assert output["type"] == "websocket.close"
    code = int(output["code"])
    assert code == 1000 or 4000 <= code <= 4999, "Daphne can't send it"
    return code


async def test_forwards_hints_of_the_own_shop_only():
    member = await sync_to_async(make_member)()
    other = await sync_to_async(make_tenant)()

    async with socket_of(await log_in(member.user)) as socket:
        await connect(socket)
        await sync_to_async(make_annotation)(tenant=other)
        annotation = await sync_to_async(make_annotation)(tenant=member.tenant)

        hint = json.loads(await socket.receive_from(timeout=5))

        assert hint == {"type": "annotation", "id": str(annotation.id), "state": "pending"}
        assert await socket.receive_nothing(timeout=0.2)


async def test_two_shops_do_not_hear_each_other():
    one, two = await sync_to_async(make_member)(), await sync_to_async(make_member)()

    async with (
        socket_of(await log_in(one.user)) as mine,
        socket_of(await log_in(two.user)) as theirs,
    ):
        await connect(mine)
        await connect(theirs, groups=2)
        await sync_to_async(make_annotation)(tenant=one.tenant)

        assert json.loads(await mine.receive_from(timeout=5))["state"] == "pending"
        assert await theirs.receive_nothing(timeout=0.2)


async def test_closes_for_strangers():
    async with socket_of(None) as socket:
        await socket.connect(timeout=5)

        assert await closed_with(socket) == consumers.NOT_LOGGED_IN


async def test_closes_for_users_without_a_shop():
    user = await sync_to_async(make_user)()

    async with socket_of(await log_in(user)) as socket:
        await socket.connect(timeout=5)

        assert await closed_with(socket) == consumers.NOT_A_MEMBER


async def test_refuses_pages_of_other_sites():
    member = await sync_to_async(make_member)()
    client = await log_in(member.user)

    async with socket_of(client, origin="https://evil.example") as socket:
        connected, _ = await socket.connect(timeout=5)

        assert not connected


async def test_refuses_an_unknown_address():
    async with socket_of(None, path="/ws/nothing/") as socket:
        connected, _ = await socket.connect(timeout=5)

        assert not connected


async def test_closes_what_is_too_many_sockets_of_one_user(monkeypatch):
    monkeypatch.setattr(consumers, "MOST_SOCKETS", 1)
    member = await sync_to_async(make_member)()
    client = await log_in(member.user)

    async with socket_of(client) as first:
        await connect(first)
        async with socket_of(client) as second:
            await second.connect(timeout=5)
            assert await closed_with(second) == consumers.TRY_AGAIN
    async with socket_of(client) as third:
        await connect(third)
        assert await third.receive_nothing(timeout=0.2)
    assert not consumers.LiveConsumer.sockets


async def test_closes_when_the_member_is_removed():
    member = await sync_to_async(make_member)()

    async with socket_of(await log_in(member.user)) as socket:
        await connect(socket)
        await sync_to_async(member.delete)()

        assert await closed_with(socket) == consumers.NOT_A_MEMBER


async def test_closes_when_the_session_ends(monkeypatch):
    monkeypatch.setattr(consumers, "RECHECK_S", 0.05)
    member = await sync_to_async(make_member)()
    client = await log_in(member.user)

    async with socket_of(client) as socket:
        await connect(socket)
        await sync_to_async(client.logout)()

        assert await closed_with(socket) == consumers.NOT_LOGGED_IN


async def test_closes_when_the_session_moves_to_another_shop(monkeypatch):
    monkeypatch.setattr(consumers, "RECHECK_S", 0.05)
    member = await sync_to_async(make_member)()
    other = await sync_to_async(make_member)(user=member.user)
    client = await log_in(member.user)

    async with socket_of(client) as socket:
        await connect(socket)
        await sync_to_async(client.post)(reverse("switch_shop"), {"tenant": other.tenant_id})

        assert await closed_with(socket) == consumers.NOT_A_MEMBER


async def test_ignores_what_pages_send_and_cuts_off_who_talks_on():
    member = await sync_to_async(make_member)()

    async with socket_of(await log_in(member.user)) as socket:
        await connect(socket)
        await socket.send_to(text_data='{"type": "forward.hint", "hint": {}}')
        await socket.send_to(text_data="no JSON")
        await socket.send_to(bytes_data=b"\x00")
        assert await socket.receive_nothing(timeout=0.1)

        for _ in range(consumers.MOST_MESSAGES):
            await socket.send_to(text_data="again")

        assert await closed_with(socket) == consumers.TOO_MUCH


async def test_asks_the_page_to_come_back_when_hints_may_have_been_missed():
    member = await sync_to_async(make_member)()

    async with socket_of(await log_in(member.user)) as socket:
        await connect(socket)
        group = live.group_of(member.tenant_id)
        await get_channel_layer().group_send(group, {"type": "layer.restored"})

        assert await closed_with(socket) == consumers.TRY_AGAIN


async def test_asks_the_page_to_come_back_when_it_cannot_join(monkeypatch):
    async def fail(group, channel):
        raise TimeoutError

    monkeypatch.setattr(get_channel_layer(), "group_add", fail)
    member = await sync_to_async(make_member)()

    async with socket_of(await log_in(member.user)) as socket:
        await socket.connect(timeout=5)

        assert await closed_with(socket) == consumers.TRY_AGAIN


@pytest.mark.parametrize("error", [TimeoutError, OperationalError, OSError])
def test_a_layer_that_is_down_does_not_fail_the_write(monkeypatch, error):
    def fail(group, message):
        raise error

    monkeypatch.setattr(get_channel_layer(), "group_send_now", fail)

    make_annotation(tenant=make_tenant())

    assert Annotation.objects.count() == 1


def test_announces_every_step_after_commit(monkeypatch):
    told = []

    def note(group, message):
        told.append(message["hint"]["state"])

    monkeypatch.setattr(get_channel_layer(), "group_send_now", note)
    annotation = make_annotation(tenant=make_tenant())

    recording.record_failure(annotation=annotation, reason="It broke.", now=annotation.created_at)
    services.delete_image(tenant=annotation.tenant, image_id=annotation.image_id)

    assert told == ["pending", "failed", "gone"]


async def test_a_key_hears_its_shop():
    new = await sync_to_async(make_key)()

    async with socket_of(None, origin="", token=new.token) as socket:
        await connect(socket)
        await sync_to_async(make_annotation)(tenant=new.key.tenant)

        hint = json.loads(await socket.receive_from(timeout=5))

        assert (hint["type"], hint["state"]) == ("annotation", "pending")


async def test_a_key_hears_of_reviews_and_batches():
    new = await sync_to_async(make_key)()
    tenant = new.key.tenant
    annotation = await sync_to_async(make_done_annotation)(tenant=tenant)

    async with socket_of(None, origin="", token=new.token) as socket:
        await connect(socket)
        await sync_to_async(review_annotation)(
            tenant=tenant,
            annotation_id=annotation.id,
            by=Reviewer(key=new.key),
            now=timezone.now(),
        )
        await sync_to_async(batches.order_batch)(
            tenant=tenant,
            key=new.key,
            items=[{"annotation": annotation, "taken_at": timezone.now()}],
            now=timezone.now(),
        )

        hints = [json.loads(await socket.receive_from(timeout=5)) for _ in range(4)]

        assert [(hint["type"], hint["state"]) for hint in hints] == [
            ("annotation", "done"),
            ("review", "done"),
            ("batch", "pending"),
            ("batch", "done"),
        ]


async def test_a_revoked_key_is_cut_off():
    member = await sync_to_async(make_member)()
    new = await sync_to_async(make_key)(member=member)

    async with socket_of(None, origin="", token=new.token) as socket:
        await connect(socket)
        await sync_to_async(keys.revoke_key)(
            tenant=member.tenant, by=member, key_id=new.key.id, now=timezone.now()
        )

        assert await closed_with(socket) == consumers.NOT_LOGGED_IN


async def test_a_revoked_key_is_cut_off_also_when_the_hint_is_lost(monkeypatch):
    monkeypatch.setattr(consumers, "RECHECK_KEY_S", 0.1)
    new = await sync_to_async(make_key)()

    async with socket_of(None, origin="", token=new.token) as socket:
        await connect(socket)
        await sync_to_async(ApiKey.objects.update)(revoked_at=timezone.now())

        assert await closed_with(socket) == consumers.NOT_LOGGED_IN


@pytest.mark.parametrize(
    ("scopes", "change", "code"),
    [
        (["search"], "", consumers.NOT_A_MEMBER),
        (["annotate"], "x", consumers.NOT_LOGGED_IN),
    ],
)
async def test_a_key_that_may_not_listen(scopes, change, code):
    new = await sync_to_async(make_key)(scopes=scopes)

    async with socket_of(None, origin="", token=new.token + change) as socket:
        await socket.connect(timeout=5)

        assert await closed_with(socket) == code


async def test_a_key_does_not_open_sockets_for_other_pages():
    new = await sync_to_async(make_key)()

    async with socket_of(None, origin="https://evil.example", token=new.token) as socket:
        connected, _ = await socket.connect(timeout=5)

        assert not connected
