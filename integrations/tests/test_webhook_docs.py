"""The code in docs/reference/webhooks.md checks real messages."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from integrations.models import WebhookEvent
from integrations.tests.factories import Received, make_delivery, make_endpoint, send_due

PAGE = settings.BASE_DIR / "docs" / "reference" / "webhooks.md"
Check = Callable[[dict[str, str], bytes, str], bool]


def read_block(language: str) -> str:
    (block,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(block)


def check_by_python(headers: dict[str, str], body: bytes, secret: str, folder: Path) -> bool:
    names: dict[str, Check] = {}
    exec(read_block("python"), names)  # noqa: S102 - our own documentation
    return names["is_from_kalas"](headers, body, secret)


def check_by_node(headers: dict[str, str], body: bytes, secret: str, folder: Path) -> bool:
    question = json.dumps([headers, body.decode(), secret])
    script = folder / "check.mjs"
    script.write_text(
        read_block("javascript")
        + f"const [headers, body, secret] = {question};"
        + "console.log(isFromKalas(headers, Buffer.from(body), secret));",
        encoding="utf-8",
    )
    return run("node", script)


def check_by_php(headers: dict[str, str], body: bytes, secret: str, folder: Path) -> bool:
    (folder / "question.json").write_text(json.dumps([headers, body.decode(), secret]))
    script = folder / "check.php"
    script.write_text(
        read_block("php")
        + '[$headers, $body, $secret] = json_decode(file_get_contents(__DIR__ . "/question.json"),'
        + " true);"
        + 'echo isFromKalas($headers, $body, $secret) ? "true" : "false";',
        encoding="utf-8",
    )
    return run("php", script)


def run(program: str, script: Path) -> bool:
    done = subprocess.run([program, script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() in {"true", "false"}, done.stderr
    return done.stdout.strip() == "true"


@pytest.fixture
def received(member, receiver) -> tuple[Received, str]:
    endpoint, secret = make_endpoint(by=member, url=receiver.url)
    make_delivery(endpoint)
    send_due(endpoint)
    return receiver.received[0], secret


@pytest.mark.parametrize(
    ("program", "check"),
    [("", check_by_python), ("node", check_by_node), ("php", check_by_php)],
    ids=["python", "javascript", "php"],
)
def test_the_code_of_the_page_checks_messages(received, tmp_path, program, check):
    if program and shutil.which(program) is None:
        pytest.skip(f"{program} is missing")
    message, secret = received
    other = "whsec_" + "A" * 43 + "="
    signature = message.headers["webhook-signature"]

    def is_accepted(body: bytes = message.body, key: str = secret, **headers: str) -> bool:
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        return bool(check({**message.headers, **changed}, body, key, tmp_path))

    assert is_accepted()
    assert is_accepted(webhook_signature=f"v1,AAAA {signature}")
    assert not is_accepted(body=message.body.replace(b"1", b"2"))
    assert not is_accepted(key=other)
    assert not is_accepted(webhook_id="msg_other")
    assert not is_accepted(webhook_signature="v1,AAAA")
    assert not is_accepted(webhook_timestamp="1600000000")


def test_the_page_names_every_event():
    text = PAGE.read_text(encoding="utf-8")

    for event in (*WebhookEvent.values, "webhook.test"):
        assert f"`{event}`" in text
