from pathlib import Path

import pytest
from django.conf import settings

from kalas import house


@pytest.mark.parametrize(
    ("name", "program"), [("web", house._web(8000)), ("jobs", house._jobs(8000))]
)
def test_memory_of_photos_is_given_back(name, program):
    unit = Path(settings.BASE_DIR, "deploy", "systemd", f"kalas-{name}.service").read_text()

    for variable, value in house.LEAN_MEMORY.items():
        assert program.environment[variable] == value
        assert f"{variable}={value}" in unit


def test_the_deployed_web_process_has_the_same_limits():
    program = house._web(8000)
    unit = Path(settings.BASE_DIR, "deploy", "systemd", "kalas-web.service").read_text()

    for option in ("--websocket-max-message-size", "--websocket-max-frame-size"):
        value = program.arguments[program.arguments.index(option) + 1]
        assert f"{option} {value}" in unit
