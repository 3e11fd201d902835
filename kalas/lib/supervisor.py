"""Runs the processes of one house on one machine: starts, prefixes, restarts and stops them.

For a person at a terminal; on a server that is systemd's work (see deploy/).
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

SHORTEST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
# Who lived for so long had started properly: its next restart doesn't wait.
STABLE_AFTER_S = 10.0
# Who died so often without ever getting ready will not, however long one waits.
MOST_DEATHS_AT_START = 4
PR_SET_PDEATHSIG = 1


class NotReadyError(Exception):
    """A process didn't get ready in time; the message is one line for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    name: str
    arguments: Sequence[str]
    is_ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    cwd: Path | None = None
    prepare: Callable[[], None] = lambda: None  # before each start
    stop_signal: int = signal.SIGTERM
    orphan_signal: int = signal.SIGKILL  # when the supervisor itself was killed
    grace_s: float = 15


class Supervisor:
    """Not for threads: a child is killed with the thread that started it."""

    def __init__(
        self,
        *,
        output: Callable[[str, str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.output = output
        self.clock = clock
        self.sleep = sleep
        self._children: list[_Child] = []

    def start(self, program: Program) -> None:
        child = _Child(program=program, output=self.output, clock=self.clock)
        self._children.append(child)
        child.start()

    def wait_until_ready(self, *names: str, timeout_s: float) -> None:
        """Restart what dies in the meantime; raises NotReadyError."""
        waiting = [child for child in self._children if not names or child.program.name in names]
        deadline = self.clock() + timeout_s
        while waiting:
            self.tend()
            waiting = [child for child in waiting if not child.is_ready()]
            for child in waiting:
                if child.deaths >= MOST_DEATHS_AT_START:
                    raise NotReadyError(f"{child.program.name} does not start; see its lines above")
            if waiting and self.clock() > deadline:
                late = ", ".join(child.program.name for child in waiting)
                raise NotReadyError(f"Not ready after {timeout_s:.0f} s: {late}")
            if waiting:
                self.sleep(0.05)

    def watch(self) -> None:
        """Keep everything running until an exception (KeyboardInterrupt) ends it."""
        while True:
            self.tend()
            self.sleep(0.1)

    def tend(self) -> None:
        for child in self._children:
            child.restart_if_dead()

    def stop(self) -> None:
        """Stop in the reverse order of starting; a second Ctrl-C kills what is left."""
        while self._children:
            child = self._children[-1]
            try:
                child.stop()
            except KeyboardInterrupt:
                child.kill()
            self._children.pop()


class _Child:
    def __init__(
        self,
        *,
        program: Program,
        output: Callable[[str, str], None],
        clock: Callable[[], float],
    ) -> None:
        self.program = program
        self.output = output
        self.clock = clock
        self.process: subprocess.Popen[str] | None = None
        self.reader: threading.Thread | None = None
        self.started_at = 0.0
        self.next_start_at: float | None = None
        self.pause_s = SHORTEST_PAUSE_S
        self.deaths = 0

    def start(self) -> None:
        program = self.program
        program.prepare()
        self.next_start_at = None
        self.started_at = self.clock()
        self.process = subprocess.Popen(
            program.arguments,
            env={**os.environ, **program.environment},
            cwd=program.cwd,
            user=program.user,
            group=program.user,
            extra_groups=[] if program.user else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches the supervisor only
            preexec_fn=_die_with_parent(program.orphan_signal),  # noqa: PLW1509
        )
        assert self.process.stdout is not None  # noqa: S101  said by stdout=PIPE
        self.reader = threading.Thread(
            target=self._copy_lines, args=[self.process.stdout], daemon=True
        )
        self.reader.start()

    def is_ready(self) -> bool:
        return self._is_alive() and self.program.is_ready()

    def restart_if_dead(self) -> None:
        if self._is_alive():
            return
        now = self.clock()
        if self.next_start_at is None:
            self._collect()
            self.deaths += 1
            if now - self.started_at > STABLE_AFTER_S:
                self.pause_s = SHORTEST_PAUSE_S
            self.next_start_at = now + self.pause_s
            self.output(
                self.program.name, f"{self._ending()}; starts again in {self.pause_s:.1f} s"
            )
            self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)
        elif now >= self.next_start_at:
            self._restart()

    def stop(self) -> None:
        if self.process is None or not self._is_alive():
            return
        self.process.send_signal(self.program.stop_signal)
        try:
            self.process.wait(self.program.grace_s)
        except subprocess.TimeoutExpired:
            self.output(self.program.name, f"did not stop within {self.program.grace_s:.0f} s")
        self.kill()

    def kill(self) -> None:
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self._collect()

    def _restart(self) -> None:
        try:
            self.start()
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            self.output(self.program.name, f"cannot start: {error}")
            self.next_start_at = self.clock() + self.pause_s

    def _is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def _ending(self) -> str:
        code = self.process.returncode if self.process else 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"

    def _copy_lines(self, lines: IO[str]) -> None:
        for line in lines:
            self.output(self.program.name, line.rstrip("\n"))

    def _collect(self) -> None:
        # A grandchild may hold the pipe open, so the reader isn't waited for without end.
        if self.reader is not None:
            self.reader.join(timeout=1)
        if self.process is not None and self.process.stdout and not self.reader_is_busy():
            self.process.stdout.close()

    def reader_is_busy(self) -> bool:
        return self.reader is not None and self.reader.is_alive()


def _die_with_parent(number: int) -> Callable[[], None] | None:
    """What asks the kernel, in the new process, to signal it when the supervisor is gone."""
    if sys.platform != "linux":
        return None
    prctl: Any = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)

    return ask
