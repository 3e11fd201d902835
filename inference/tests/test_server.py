"""The engine's process with the shipped model: life, death, and bad company."""

import asyncio
import json
import signal
import socket
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import httpx
import numpy as np
import pytest

from inference import server, specs
from inference.client import Client, Overloaded
from inference.contract import AnnotationResult, Box, InvalidImage, ModelName
from inference.endpoints import MAX_BODY, Busy
from inference.families import Families
from inference.request import Photo
from inference.server import Engine, EngineConfig, EngineFailed
from inference.specs import BadWeights
from inference.tests.engines import EngineProcess, run_engine
from inference.tests.photos import encode, paint, read_demo

SHIRT = read_demo("clothing-shirt-b94b8ac0.jpg")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with run_engine(tmp_path_factory.mktemp("engine") / "e.sock") as engine:
        engine.wait_until("ready")
        yield engine


@pytest.fixture(scope="module")
def large_photo() -> bytes:
    """12 megapixels: long enough in the engine to be met there."""
    return encode(paint(size=(4000, 3000), box=Box(500, 500, 2500, 3500)), quality=80)


def path_of(engine: EngineProcess) -> str:
    return engine.url.removeprefix("unix:")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="looks into /proc")
def test_answers_on_a_cpu_without_torch_or_the_houses_apps_in_memory(engine):
    engine.client.annotate(SHIRT)

    maps = Path(f"/proc/{engine.process.pid}/maps").read_text()

    assert "onnxruntime" in maps
    assert "torch" not in maps
    assert "twisted" not in maps


def http(engine) -> httpx.Client:
    transport = httpx.HTTPTransport(uds=path_of(engine))
    return httpx.Client(transport=transport, base_url="http://engine", timeout=60)


def test_answers_a_real_photo(engine):
    result = engine.client.annotate(SHIRT)

    assert (result.width, result.height) == (400, 533)
    assert result.model == ModelName("kalas-mini", specs.find("kalas-mini").version, "kalas-1")
    assert set(result.timings_ms) == {
        "queue",
        "decode",
        "detect",
        "colours",
        "classify",
        "total",
    }


def test_gives_the_same_answer_every_time_and_to_everybody(engine):
    alone = engine.client.annotate(SHIRT)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: engine.client.annotate(SHIRT), range(24)))

    for answer in answers:
        assert answer.abstained == alone.abstained
        for garment, same in zip(answer.garments, alone.garments, strict=True):
            assert (garment.category.name, garment.box) == (same.category.name, same.box)
            assert garment.category.confidence == pytest.approx(same.category.confidence, abs=1e-3)


def test_serves_an_older_version_that_is_asked_for(tmp_path):
    with run_engine(tmp_path / "e.sock", "--model", "kalas-mini@6") as engine:
        assert engine.wait_until("ready").model == ModelName("kalas-mini", "6", "kalas-1")


def test_looks_into_the_crop(engine):
    result = engine.client.annotate(SHIRT, crop=Box(100, 150, 300, 400))

    for garment in result.garments:
        assert garment.box.left >= 100
        assert garment.box.bottom <= 400


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"no photo at all", "unsupported-format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported-format"),
        (SHIRT[:3000], "damaged"),
    ],
)
def test_refuses_what_is_no_photo(engine, data, code):
    with pytest.raises(InvalidImage) as raised:
        engine.client.annotate(data)

    assert raised.value.code == code


def test_refuses_a_bomb_before_decoding_it(engine):
    photo = encode(np.zeros((8, 8, 3), dtype=np.uint8), "PNG")
    header = b"IHDR" + (50_000).to_bytes(4) * 2 + photo[24:29]
    bomb = photo[:12] + header + zlib.crc32(header).to_bytes(4) + photo[33:]

    with pytest.raises(InvalidImage) as raised:
        engine.client.annotate(bomb)

    assert raised.value.code == "too-many-pixels"


def test_refuses_a_body_beyond_the_limit_and_goes_on(engine):
    with pytest.raises(InvalidImage) as raised:
        engine.client.annotate(bytes(MAX_BODY + 1))

    assert raised.value.code == "too-large"
    assert engine.client.annotate(SHIRT).width == 400


def test_answers_bad_parameters_with_a_problem_that_names_them(engine):
    with http(engine) as client:
        for query, parameter in (("crop=1,2", "crop"), ("hint=hat", "hint")):
            answer = client.post(f"/v1/annotate?{query}", content=SHIRT)

            assert answer.status_code == 400
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["parameter"] == parameter


def test_fifty_clients_that_leave_harm_nobody(engine, large_photo):
    request = b"POST /v1/annotate HTTP/1.1\r\nHost: engine\r\nContent-Length: %d\r\n\r\n" % len(
        large_photo
    )
    for number in range(50):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path_of(engine))
            # Some leave while they send, the others while they wait.
            client.sendall(request + large_photo[: len(large_photo) // (1 + number % 2)])

    assert engine.client.annotate(SHIRT).width == 400
    engine.wait_for(lambda health: health.waiting == 0)


def test_a_second_engine_does_not_take_the_socket(engine):
    with run_engine(Path(path_of(engine))) as second:
        assert second.process.wait(60) == 1
        assert "Another engine is alive" in second.log.read_text()

    assert engine.client.annotate(SHIRT).width == 400


def test_says_503_with_retry_after_when_the_queue_is_full(tmp_path, large_photo):
    def ask(client: Client) -> object:
        try:
            return client.annotate(large_photo)
        except Overloaded as error:
            return error

    limits = ("--capacity", "2", "--workers", "1", "--max-batch", "1")
    with run_engine(tmp_path / "e.sock", *limits) as engine:
        engine.wait_until("ready")
        with ThreadPoolExecutor(12) as threads:
            outcomes = list(threads.map(lambda _: ask(engine.client), range(12)))
        after = engine.client.annotate(SHIRT)

    refusals = [outcome for outcome in outcomes if isinstance(outcome, Overloaded)]
    answers = [outcome for outcome in outcomes if isinstance(outcome, AnnotationResult)]
    assert len(refusals) + len(answers) == 12
    assert refusals
    assert answers
    assert all(refusal.retry_after >= 1 for refusal in refusals)
    assert after.width == 400


def test_answers_at_once_while_it_starts_and_drains_when_told(tmp_path, large_photo):
    with run_engine(tmp_path / "e.sock", "--workers", "1", "--max-batch", "1") as engine:
        engine.wait_until("starting")
        with pytest.raises(Overloaded):
            engine.client.annotate(SHIRT)
        engine.wait_until("ready")

        with ThreadPoolExecutor(6) as threads:
            asked = [threads.submit(engine.client.annotate, large_photo) for _ in range(6)]
            # While one waits another is in work, which neither number counts: all six are in.
            engine.wait_for(lambda health: health.waiting + health.done >= 5 + (not health.waiting))
            status = engine.stop(signal.SIGTERM)
            results = [answer.result() for answer in asked]

    assert [result.width for result in results] == [3000] * 6
    assert status == 0
    assert not (tmp_path / "e.sock").exists()


def test_stops_while_it_starts(tmp_path):
    with run_engine(tmp_path / "e.sock") as engine:
        engine.wait_until("starting")

        assert engine.stop(signal.SIGINT) == 0


def test_starts_again_on_the_socket_of_a_killed_engine(tmp_path):
    with run_engine(tmp_path / "e.sock") as killed:
        killed.wait_until("ready")
        client = killed.client
        client.annotate(SHIRT)
        killed.stop(signal.SIGKILL)
        assert (tmp_path / "e.sock").exists()

    with run_engine(tmp_path / "e.sock") as engine:
        engine.wait_until("ready")

        # The very client that has connections to the dead one.
        assert client.annotate(SHIRT).width == 400


class FakePipeline:
    """Answers, or does what the test wants, in the worker's thread."""

    model = ModelName("fake", "1", "kalas-1")
    device = "cpu"

    def __init__(self, work) -> None:
        self.work = work
        self.runtime = "fake"

    def annotate(self, photos):
        return [self.work(photo) for photo in photos]

    def list_others(self):
        return ()


@pytest.fixture
def start(monkeypatch):
    """Start an engine in this process whose pipeline is the given function."""
    pools = []

    async def start(work, **options):
        def load(config):
            pools.append(ThreadPoolExecutor(1))
            pipeline = cast(Families, FakePipeline(work))
            return server._Loaded(pipeline, pools[-1], workers=1, max_batch=1, window=0.0)

        monkeypatch.setattr(server, "_load", load)
        engine = Engine(EngineConfig(url="", **options))
        running = asyncio.ensure_future(engine.run())
        while engine.health().state == "starting" and not running.done():
            await asyncio.sleep(0.001)
        return engine, running

    yield start
    for pool in pools:
        pool.shutdown()


RESULT = AnnotationResult(30, 40, FakePipeline.model, abstained="no-garment")


async def test_ends_with_an_error_when_a_worker_fails(start):
    def lose_the_device(photo):
        raise RuntimeError("the device is lost")

    engine, running = await start(lose_the_device)

    with pytest.raises(Busy):
        await engine.annotate(Photo(b""))
    with pytest.raises(EngineFailed, match="the device is lost"):
        await running
    assert not engine.threads_run


async def test_ends_with_an_error_when_a_worker_hangs(start):
    released = threading.Event()

    def hang(photo):
        released.wait(60)
        return RESULT

    engine, running = await start(hang, batch_limit_s=0.05)
    with pytest.raises(Busy):
        await engine.annotate(Photo(b""))
    with pytest.raises(EngineFailed):
        await running

    # The process can't wait for such a thread: `serve` leaves it behind.
    assert engine.threads_run
    released.set()


async def test_counts_and_times_what_it_answers(start):
    engine, running = await start(lambda photo: RESULT)

    result = await engine.annotate(Photo(b""))
    health = engine.health()
    engine.drain()
    await running

    assert set(result.timings_ms) == {"queue", "total"}
    assert (health.state, health.done, health.waiting) == ("ready", 1, 0)
    assert engine.health().state == "draining"


async def test_ends_with_an_error_when_the_model_cannot_be_loaded(monkeypatch):
    def load(config):
        raise BadWeights("The weights cannot be read.")

    monkeypatch.setattr(server, "_load", load)

    with pytest.raises(EngineFailed, match="weights cannot be read"):
        await Engine(EngineConfig(url="")).run()


def test_a_model_that_is_not_shipped_is_one_line_and_status_one(tmp_path):
    with run_engine(tmp_path / "e.sock", "--model", "kalas-maxi") as engine:
        assert engine.process.wait(120) == 1

        assert "kalas-maxi" in engine.log.read_text().splitlines()[-1]


def test_json_is_the_contract(engine):
    with http(engine) as client:
        body = client.post("/v1/annotate", content=SHIRT).json()

    assert json.loads(json.dumps(AnnotationResult.from_json(body).to_json())) == body
