"""The HTTP contract, called without a server: what each request is answered."""

import asyncio
import json
from typing import Any

import pytest

from inference.contract import AnnotationResult, Box, EngineHealth, InvalidImage, ModelName
from inference.endpoints import MAX_BODY, MAX_TEXT, MAX_TEXTS, Busy, make_application
from inference.request import ModelRefused, NoWords, Photo

RESULT = AnnotationResult(30, 40, ModelName("m", "1", "kalas-1"), abstained="no-garment")
HEALTH = EngineHealth("ready", "cpu", RESULT.model, waiting=0, capacity=8, done=3, uptime_s=1.5)


class FakeEngine:
    def __init__(self, outcome=RESULT, *, busy=None) -> None:
        self.outcome, self.busy = outcome, busy
        self.photos: list[Photo] = []
        self.released = asyncio.Event()
        self.released.set()
        self.cancelled = False

    def refuse_if_busy(self):
        if self.busy:
            raise self.busy

    async def annotate(self, photo):
        self.photos.append(photo)
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def compare(self, asked):
        self.refuse_if_busy()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return [float(len(asked.others))]

    async def embed_texts(self, texts):
        self.refuse_if_busy()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return [[float(len(text)), 0.5] for text in texts]

    async def find_details(self, photo):
        return await self.annotate(photo)

    def health(self):
        return HEALTH


async def request(engine, path="/v1/annotate", *, query=b"", body=(b"bytes",), method="POST"):
    """Status, headers and JSON of the answer; the client stays until then."""
    chunks = [
        {"type": "http.request", "body": chunk, "more_body": index < len(body) - 1}
        for index, chunk in enumerate(body)
    ]
    sent = []

    async def receive():
        if chunks:
            return chunks.pop(0)
        return await asyncio.get_running_loop().create_future()

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": query}
    await make_application(engine)(scope, receive, send)
    start, answer = sent
    return start["status"], dict(start["headers"]), json.loads(answer["body"])


async def test_answers_a_photo():
    engine = FakeEngine()

    status, headers, body = await request(
        engine, query=b"crop=1,2,30,40&hint=footwear", body=(b"ab", b"", b"cd")
    )

    assert (status, headers[b"content-type"]) == (200, b"application/json")
    assert AnnotationResult.from_json(body) == RESULT
    [photo] = engine.photos
    assert (photo.data, photo.crop, photo.hint) == (b"abcd", Box(1, 2, 30, 40), "footwear")


async def embed(engine, body):
    return await request(engine, "/v1/embed-text", body=(body,))


async def test_embeds_texts():
    status, _, body = await embed(FakeEngine(), '{"texts": ["red", "çanta"]}'.encode())

    assert status == 200
    assert body["embeddings"] == [[3.0, 0.5], [5.0, 0.5]]
    assert body["model"]["version"] == "1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b'{"texts": []}',
        b'{"texts": "red"}',
        b'{"texts": [1]}',
        json.dumps({"texts": ["a"] * (MAX_TEXTS + 1)}).encode(),
        json.dumps({"texts": ["a" * (MAX_TEXT + 1)]}).encode(),
        b"[" * 100_000,
    ],
)
async def test_refuses_what_are_no_texts(body):
    status, _, problem = await embed(FakeEngine(), body)

    assert (status, problem["code"]) == (400, "invalid-texts")


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [(NoWords("m@1"), 501, "no-words"), (RuntimeError("broken"), 500, "engine-error")],
)
async def test_says_why_texts_have_no_embeddings(outcome, status, code):
    answer = await embed(FakeEngine(outcome), b'{"texts": ["red"]}')

    assert (answer[0], answer[2]["code"]) == (status, code)


async def test_a_busy_engine_embeds_no_texts():
    status, headers, _ = await embed(FakeEngine(busy=Busy("starting", 2)), b'{"texts": ["a"]}')

    assert (status, headers[b"retry-after"]) == (503, b"2")


async def test_tells_its_health():
    status, _, body = await request(FakeEngine(), "/v1/health", method="GET")

    assert (status, EngineHealth.from_json(body)) == (200, HEALTH)


async def test_names_what_is_wrong_with_a_photo():
    engine = FakeEngine(InvalidImage("damaged", "The file is damaged."))

    status, headers, body = await request(engine)

    assert (status, headers[b"content-type"]) == (422, b"application/problem+json")
    assert (body["code"], body["detail"]) == ("damaged", "The file is damaged.")
    assert {"type", "title", "status"} <= set(body)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        (b"crop=1,2,3", "crop"),
        (b"crop=a,b,c,d", "crop"),
        (b"crop=10,10,5,20", "crop"),
        (b"crop=-1,0,5,5", "crop"),
        (b"crop=", "crop"),
        (b"hint=hat", "hint"),
        (b"hint=", "hint"),
        (b"size=3", "size"),
    ],
)
async def test_names_the_parameter_that_is_wrong(query, parameter):
    engine = FakeEngine()

    status, headers, body = await request(engine, query=query)

    assert (status, headers[b"content-type"]) == (400, b"application/problem+json")
    assert body["parameter"] == parameter
    assert parameter in body["detail"]
    assert engine.photos == []


async def test_says_when_to_come_back_if_it_is_busy():
    engine = FakeEngine(busy=Busy("The queue is full.", 7))

    status, headers, body = await request(engine)

    assert (status, headers[b"retry-after"], body["code"]) == (503, b"7", "busy")
    assert engine.photos == []


async def test_refuses_a_body_beyond_the_limit_without_keeping_it():
    engine = FakeEngine()
    chunk = bytes(1024 * 1024)

    accepted, _, _ = await request(engine, body=[chunk] * 25)
    refused, _, body = await request(engine, body=[chunk] * 26)

    assert (accepted, refused, body["code"]) == (200, 413, "too-large")
    assert [len(photo.data) for photo in engine.photos] == [MAX_BODY]


async def test_an_unforeseen_error_is_one_answer_without_its_insides(caplog):
    engine = FakeEngine(RuntimeError("secret path"))

    status, _, body = await request(engine)

    assert (status, body["code"]) == (500, "engine-error")
    assert "secret" not in json.dumps(body)
    assert "secret path" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/annotate", 405), ("POST", "/v1/health", 405), ("GET", "/", 404)],
)
async def test_knows_two_paths(method, path, status):
    assert (await request(FakeEngine(), path, method=method))[0] == status


async def test_takes_the_photo_back_when_the_client_leaves():
    engine = FakeEngine()
    engine.released.clear()
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    messages.put_nowait({"type": "http.request", "body": b"x", "more_body": False})
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/annotate", "query_string": b""}
    serving = asyncio.ensure_future(make_application(engine)(scope, messages.get, send))
    while not engine.photos:
        await asyncio.sleep(0)
    messages.put_nowait({"type": "http.disconnect"})
    await serving

    assert engine.cancelled
    assert sent == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (
            b'{"model": "m", "asked": ["tops", "AACAPw=="], "others": [["shoes", "AACAPwAAAAA="]]}',
            200,
        ),
        (b'{"model": "m", "asked": ["tops", "AACAPw=="], "others": [["shoes", "AACAPwAA"]]}', 400),
        (b'{"model": "m", "asked": ["tops", ""], "others": []}', 400),
        (b'{"model": "m", "asked": ["tops", [1]], "others": []}', 400),
        (b'{"model": "m", "asked": "tops"}', 400),
        (b"no JSON", 400),
    ],
)
async def test_compares_vectors(body, status):
    found, _, answer = await request(FakeEngine(), path="/v1/compare", body=(body,))

    assert found == status
    assert status == 400 or answer == {"distances": [1.0]}


async def test_says_that_a_model_cannot_answer():
    engine = FakeEngine(ModelRefused("It needs 1.8 GB."))

    status, _, answer = await request(engine, query=b"model=large", body=(b"photo",))

    assert (status, answer["code"], answer["detail"]) == (400, "model-refused", "It needs 1.8 GB.")
    assert engine.photos[0].model == "large"


async def test_forgets_a_client_that_leaves_while_it_sends():
    engine = FakeEngine()
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    messages.put_nowait({"type": "http.request", "body": b"x", "more_body": True})
    messages.put_nowait({"type": "http.disconnect"})

    scope = {"type": "http", "method": "POST", "path": "/v1/annotate", "query_string": b""}
    await make_application(engine)(scope, messages.get, refuse_to_send)

    assert engine.photos == []


async def refuse_to_send(message: object) -> None:
    raise AssertionError(f"Nobody is there to be sent {message}.")
