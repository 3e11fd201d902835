import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from kalas.lib.supervisor import NotReadyError, Program, Supervisor

WAIT_FOR_EVER = "import signal; print('up', flush=True); signal.pause()"


class Log:
    def __init__(self):
        self.lines = []

    def __call__(self, name, line):
        self.lines.append((name, line))


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def house(log):
    supervisor = Supervisor(output=log)
    yield supervisor
    supervisor.stop()


def python(name, code, *, is_ready=lambda: True, **options):
    return Program(name=name, arguments=[sys.executable, "-c", code], is_ready=is_ready, **options)


def tend_until(house, condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        house.tend()
        time.sleep(0.02)


def pid_of(house, name):
    return next(c.process.pid for c in house._children if c.program.name == name)


def test_copies_lines_under_the_name_of_who_wrote_them(house, log):
    house.start(python("one", WAIT_FOR_EVER))

    tend_until(house, lambda: ("one", "up") in log.lines)


def test_starts_again_what_was_killed(house, log):
    house.start(python("one", WAIT_FOR_EVER))
    first = pid_of(house, "one")

    os.kill(first, signal.SIGKILL)

    tend_until(house, lambda: pid_of(house, "one") != first and ("one", "up") in log.lines)
    assert ("one", "killed by SIGKILL; starts again in 0.2 s") in log.lines


def test_waits_longer_after_each_quick_death(log):
    now = 0.0
    house = Supervisor(output=log, clock=lambda: now)
    house.start(python("one", "raise SystemExit(3)"))

    pauses: list[str] = []
    deadline = time.monotonic() + 20
    while len(pauses) < 4:
        assert time.monotonic() < deadline
        house.tend()
        now += 0.05
        time.sleep(0.01)
        pauses = [line.split()[-2] for _, line in log.lines]

    house.stop()
    assert pauses[:4] == ["0.2", "0.4", "0.8", "1.6"]


def test_prepares_before_every_start(house):
    calls = []
    house.start(python("one", WAIT_FOR_EVER, prepare=lambda: calls.append(1)))
    os.kill(pid_of(house, "one"), signal.SIGKILL)

    tend_until(house, lambda: len(calls) == 2)


def test_stops_in_the_reverse_order(log, tmp_path):
    house = Supervisor(output=log)
    record = tmp_path / "order"
    code = textwrap.dedent(
        """
        import signal, sys
        def leave(*_):
            with open({record!r}, "a") as file:
                file.write({name!r} + " ")
            sys.exit()
        signal.signal(signal.SIGTERM, leave)
        print("up", flush=True)
        while True:
            signal.pause()
        """
    )
    for name in ("first", "second", "third"):
        house.start(python(name, code.format(record=str(record), name=name)))
    tend_until(house, lambda: len(log.lines) == 3)

    house.stop()

    assert record.read_text().split() == ["third", "second", "first"]


def test_kills_what_does_not_stop_in_time(log):
    house = Supervisor(output=log)
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAIT_FOR_EVER
    house.start(python("stubborn", code + "\nwhile True: signal.pause()", grace_s=0.2))
    tend_until(house, lambda: ("stubborn", "up") in log.lines)
    pid = pid_of(house, "stubborn")

    house.stop()

    assert not psutil.pid_exists(pid)


def test_says_who_did_not_get_ready(house):
    house.start(python("fine", WAIT_FOR_EVER))
    house.start(python("late", WAIT_FOR_EVER, is_ready=lambda: False))

    with pytest.raises(NotReadyError, match="late"):
        house.wait_until_ready(timeout_s=0.2)


def test_does_not_wait_for_what_never_starts(house):
    house.start(python("broken", "raise SystemExit(1)", is_ready=lambda: False))

    with pytest.raises(NotReadyError, match="broken does not start"):
        house.wait_until_ready(timeout_s=600)


def test_a_program_that_cannot_start_is_tried_again(house, log, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o700)
    house.start(Program(name="one", arguments=[str(program)], is_ready=lambda: True))
    program.rename(tmp_path / "away")
    os.kill(pid_of(house, "one"), signal.SIGKILL)
    tend_until(house, lambda: any(line.startswith("cannot start") for _, line in log.lines))

    (tmp_path / "away").rename(program)

    tend_until(house, house._children[0].is_ready)


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
def test_leaves_no_orphans_when_it_is_killed_itself(tmp_path):
    code = textwrap.dedent(
        f"""
        import sys, time
        from kalas.lib.supervisor import Program, Supervisor
        house = Supervisor(output=lambda name, line: print(line, flush=True))
        house.start(Program(name="child", is_ready=lambda: True, arguments=[
            sys.executable, "-c", "import os; print(os.getpid(), flush=True); {WAIT_FOR_EVER}"]))
        house.watch()
        """
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))

        parent.kill()

        psutil.wait_procs([child], timeout=10)
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
