import json
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from kalas.lib import local_secrets


def test_makes_a_secret_once(tmp_path):
    path = tmp_path / "var" / "secrets.json"

    first = local_secrets.read_or_make(path=path, name="secret_key")

    assert len(first) >= 48
    assert local_secrets.read_or_make(path=path, name="secret_key") == first
    assert local_secrets.read_or_make(path=path, name="demo_password") != first
    assert sorted(json.loads(path.read_text())) == ["demo_password", "secret_key"]


def test_nobody_else_may_read_it(tmp_path):
    path = tmp_path / "secrets.json"

    local_secrets.read_or_make(path=path, name="secret_key")

    assert path.stat().st_mode & 0o777 == 0o600


def test_processes_that_ask_at_once_get_the_same_answer(tmp_path):
    ask = partial(local_secrets.read_or_make, path=tmp_path / "secrets.json")

    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(ask, name=f"key{number % 3}") for number in range(12)]
        answers = [future.result() for future in futures]

    assert [answers[n] for n in range(3, 12)] == [answers[n % 3] for n in range(3, 12)]
    assert len(set(answers)) == 3
