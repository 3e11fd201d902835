"""The examples of docs/how-to/use-the-api.md do what they say."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from uuid import UUID

import pytest
from django.conf import settings
from django.utils import timezone

from accounts import keys
from accounts.models import Scope
from accounts.tests.factories import make_key, make_member
from annotations import waiting
from annotations.models import Annotation
from annotations.tests.conftest import fake_engine, media
from annotations.tests.factories import make_annotation, make_photo_bytes, make_result

__all__ = ["fake_engine", "media"]

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = settings.BASE_DIR / "docs" / "how-to" / "use-the-api.md"
PROGRAMS = {
    "bash": ("curl", ["bash"], "example.sh"),
    "python": ("", [sys.executable], "example.py"),
    "javascript": ("node", ["node"], "example.mjs"),
    "php": ("php", ["php"], "example.php"),
}


def read_example(language: str) -> str:
    page = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    return str(code)


def run_example(language, folder, url, *, photo=b""):
    needed, command, name = PROGRAMS[language]
    if needed and shutil.which(needed) is None:
        assert "CI" not in os.environ, f"{needed} is missing: .ci/run installs it"
        pytest.skip(f"{needed} is missing")
    (folder / name).write_text(read_example(language), encoding="utf-8")
    (folder / "shirt.jpg").write_bytes(photo or make_photo_bytes(format="JPEG"))
    key = make_key(scopes=[Scope.ANNOTATE]).token
    return subprocess.run(
        [*command, name],
        cwd=folder,
        env={**os.environ, "KALAS_URL": url, "KALAS_KEY": key},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("language", PROGRAMS)
def test_prints_what_was_found(live_server, fake_engine, tmp_path, language):
    done = run_example(language, tmp_path, live_server.url)

    assert done.returncode == 0, done.stderr
    assert "t-shirt" in done.stdout, done.stderr
    assert "0.93" in done.stdout
    assert Annotation.objects.get().product == "SKU-4711"


@pytest.mark.parametrize("language", PROGRAMS)
def test_says_so_when_there_is_nothing_to_name(live_server, fake_engine, tmp_path, language):
    fake_engine.answer = 200, make_result(abstained="no-garment").to_json(), {}

    done = run_example(language, tmp_path, live_server.url)

    assert done.returncode == 0, done.stderr
    assert "no-garment" in done.stdout


@pytest.mark.parametrize("language", PROGRAMS)
def test_says_so_when_it_takes_longer(live_server, tmp_path, language, monkeypatch):
    monkeypatch.setattr(waiting, "wait_for", lambda **_names: False)

    done = run_example(language, tmp_path, live_server.url)

    assert done.returncode == 0, done.stderr
    assert str(Annotation.objects.get().id) in done.stdout


@pytest.mark.parametrize("language", PROGRAMS)
def test_fails_with_the_reason(live_server, tmp_path, language):
    done = run_example(language, tmp_path, live_server.url, photo=b"plain words")

    assert done.returncode != 0
    assert "This is no JPEG" in done.stdout + done.stderr


@pytest.fixture
def sockets():
    """The address of a server that has sockets."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "daphne", "--port", str(port), "kalas.asgi:application"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "kalas.tests.settings"},
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def test_hears_live_events_until_the_key_is_revoked(sockets, tmp_path):
    member = make_member()
    key = make_key(member=member, scopes=[Scope.REVIEW])
    (tmp_path / "live.py").write_text(read_example("python live"), encoding="utf-8")

    with subprocess.Popen(
        [sys.executable, "live.py"],
        cwd=tmp_path,
        env={**os.environ, "KALAS_URL": sockets, "KALAS_KEY": key.token},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as listener:
        assert listener.stdout is not None
        opened = listener.stdout.readline()  # once the server has started
        annotation = hear_of_one(member.tenant, listener)
        now = timezone.now()
        keys.revoke_key(tenant=member.tenant, by=member, key_id=key.key.id, now=now)
        rest, errors = listener.communicate(timeout=60)

    assert opened.startswith("open")
    assert annotation
    assert "closed with 4401" in rest
    assert (listener.returncode, errors.strip()) == (1, "refused: 4401")


def hear_of_one(tenant, listener):
    """The socket joins its group a moment after it is open."""
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(listener.stdout.readline()))
    reader.start()
    made: list[UUID] = []
    while not heard and len(made) < 60:
        made.append(make_annotation(tenant=tenant).id)
        reader.join(0.5)
    reader.join(10)
    return heard and any(heard[0] == f"annotation {each} pending\n" for each in made)
