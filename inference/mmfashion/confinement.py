"""What a process that reads foreign files may still do: read them, count, and write one folder.

Three walls: the kernel's limits on memory, time and size; on Linux a seccomp filter that refuses
sockets and new programs; and Python's audit hook, which cannot be taken off again.
"""

import ctypes
import platform
import resource
import struct
import sys
from pathlib import Path
from typing import Any

_DENIED = {
    # socket, connect, bind, ptrace, kill, execve, execveat
    "x86_64": (0xC000003E, (41, 42, 49, 101, 62, 59, 322)),
    "aarch64": (0xC00000B7, (198, 203, 200, 117, 129, 221, 281)),
}
_EPERM = 0x00050001
_ALLOW = 0x7FFF0000
_FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.system",
    "pty.",
    "ctypes.dlopen",
    "webbrowser.",
    "urllib.",
    "ftplib.",
    "smtplib.",
)
_WRITES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod")


class Confined(PermissionError):
    """The process tried what it may not."""


def limit_resources(*, memory: int, seconds: int, file_size: int) -> None:
    """Bytes of address space, seconds of processor time, bytes of a file that is written."""
    for kind, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (allowed, allowed))


def forbid(*, writable: Path) -> None:
    """From now on: no socket, no other program, no writing outside this folder.

    Import what is needed before: compiled modules are loaded by what is refused then.
    """
    _filter_system_calls()
    sys.addaudithook(_make_hook(writable.resolve()))


def _make_hook(writable: Path) -> Any:
    def check(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_FORBIDDEN):
            raise Confined(f"{event} is not allowed here.")
        if event == "open":
            path, mode, flags = arguments
            writes = any(c in str(mode or "") for c in "wax+") or int(flags or 0) & 0o3103
            if writes and not isinstance(path, int):
                _check_place(path, writable)
        elif event in _WRITES:
            _check_place(arguments[0], writable)

    return check


def _check_place(path: Any, writable: Path) -> None:
    place = Path(path.decode() if isinstance(path, bytes) else str(path)).absolute()
    if place != Path("/dev/null") and not place.resolve().is_relative_to(writable):
        raise Confined(f"Writing {place} is not allowed here.")


def _filter_system_calls() -> None:
    """Silently nothing on other systems and machines: the audit hook stands there alone."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _DENIED:
        return
    architecture, denied = _DENIED[machine]
    program = [(0x20, 0, 0, 4), (0x15, 1, 0, architecture), (0x06, 0, 0, _EPERM), (0x20, 0, 0, 0)]
    # The 32-bit calls of x86_64 have numbers of their own.
    program.append((0x35, len(denied) + 1, 0, 0x40000000))
    program += [(0x15, len(denied) - i, 0, number) for i, number in enumerate(denied)]
    program += [(0x06, 0, 0, _ALLOW), (0x06, 0, 0, _EPERM)]
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    kept = ctypes.create_string_buffer(code, len(code))
    filtered = struct.pack("HxxxxxxP", len(program), ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) == 0:  # PR_SET_NO_NEW_PRIVS
        libc.prctl(22, 2, ctypes.c_char_p(filtered), 0, 0)  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
