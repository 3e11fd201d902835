"""The channel layer of many machines, as settings make it from CHANNEL_REDIS_URL."""

import asyncio
import os
import shutil
import socket
import subprocess
import time

import pytest
from channels_redis.core import RedisChannelLayer


@pytest.fixture
def redis_url(tmp_path):
    program = shutil.which("redis-server")
    if program is None:
        reason = "Redis is missing: apt-get install redis-server"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    path = tmp_path / "redis.sock"
    arguments = [program, "--port", "0", "--unixsocket", path, "--save", "", "--dir", tmp_path]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL) as server:
        wait_for(path)
        yield f"unix://{path}"
        server.terminate()


def wait_for(path):
    deadline = time.monotonic() + 20
    with socket.socket(socket.AF_UNIX) as probe:
        while probe.connect_ex(str(path)):
            assert time.monotonic() < deadline
            time.sleep(0.02)


async def test_a_hint_reaches_its_shop_only(redis_url):
    sender = RedisChannelLayer(hosts=[redis_url])
    receiver = RedisChannelLayer(hosts=[redis_url])
    member, stranger = await receiver.new_channel(), await receiver.new_channel()
    await receiver.group_add("shop.1", member)
    await receiver.group_add("shop.2", stranger)

    await sender.group_send("shop.1", {"type": "hint", "id": "1"})
    await sender.group_send("shop.2", {"type": "hint", "id": "2"})

    async with asyncio.timeout(20):
        assert await receiver.receive(member) == {"type": "hint", "id": "1"}
        assert await receiver.receive(stranger) == {"type": "hint", "id": "2"}
    await sender.close_pools()
    await receiver.close_pools()
