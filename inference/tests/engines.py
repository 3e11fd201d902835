"""The real engine with the shipped model, as a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from inference.client import Client, Unavailable
from inference.contract import EngineHealth

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120


class EngineProcess:
    def __init__(self, socket: Path, *arguments: str, device: str = "cpu") -> None:
        self.url = f"unix:{socket}"
        self.client = Client(self.url)
        self.log = socket.with_suffix(".log")
        command = [sys.executable, "manage.py", "run_inference", "--url", self.url]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--device", device, *arguments],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, "LOG_LEVEL": "INFO"},
            )

    def wait_until(self, state: str) -> EngineHealth:
        return self.wait_for(lambda health: health.state == state)

    def wait_for(self, condition) -> EngineHealth:
        """The first health that fulfils the condition; each look takes the engine's own time."""
        deadline = monotonic() + PATIENCE_S
        while monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                health = self.client.health()
            except Unavailable:
                sleep(0.02)
                continue
            if condition(health):
                return health
            sleep(0.002)
        raise AssertionError(f"The engine never got there: {self.log.read_text()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextmanager
def run_engine(socket: Path, *arguments: str) -> Iterator[EngineProcess]:
    engine = EngineProcess(socket, *arguments)
    try:
        yield engine
    finally:
        if engine.process.poll() is None:
            engine.process.kill()
            engine.process.wait()
