"""Exported networks on this machine: where they are, and whether they may be used.

An export is made once for each model, pair of library versions and kind of machine, by a process
of its own (`python -m inference.export`), and is used only if its answers agree with torch's.
"""

import hashlib
import json
import logging
import platform
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inference import specs
from inference.specs import WeightsSpec

logger = logging.getLogger(__name__)

REPORT = "report.json"
MAX_ERROR = 1e-3
"""The largest difference from torch's answer, relative to its largest number."""
_ROOT = Path(__file__).resolve().parents[1]
_MAKING_LIMIT_S = 600
_FORMAT = 3
"""Grows when an export by this code would differ from an older one."""


@dataclass(frozen=True, slots=True)
class Exported:
    """An admitted export's files by part, or none and the reason why."""

    files: dict[str, Path] = field(default_factory=dict)
    reason: str = ""


def ensure(spec: WeightsSpec, *, cache: Path) -> Exported:
    """What is admitted for these weights here; exports them first where that was not tried yet."""
    found = find(spec, cache=cache)
    if found is None:
        problem = _make(spec, cache)
        found = find(spec, cache=cache) or Exported(reason=problem)
    return found


def find(spec: WeightsSpec, *, cache: Path) -> Exported | None:
    """None where no complete export was made with these weights and libraries."""
    folder = place(spec, cache=cache)
    try:
        report = json.loads((folder / REPORT).read_text())
        files = {part: folder / f"{part}.onnx" for part in report["sha256"]}
        intact = all(digest(files[part]) == sha for part, sha in report["sha256"].items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not intact:
        return None
    return Exported(files if report["admitted"] else {}, report["reason"])


def place(spec: WeightsSpec, *, cache: Path) -> Path:
    """The folder of this export: another one for another model, other libraries or machines."""
    parts = [specs.find(choice, store=spec.folder) for choice in (spec.finder, spec.text) if choice]
    described = [
        f"{part.sha256} {part.input_size} {part.mean} {part.std}" for part in (spec, *parts)
    ]
    made_with = [f"{name}-{version(name)}" for name in ("torch", "onnxruntime")]
    key = hashlib.sha256("\n".join([*described, *made_with, _machine(), str(_FORMAT)]).encode())
    return cache / f"{spec.name}-{spec.version}-{key.hexdigest()[:16]}"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_report(folder: Path, report: dict[str, Any]) -> None:
    (folder / REPORT).write_text(json.dumps(report, indent=1) + "\n")


def _machine() -> str:
    """What computes: the answers of another processor were not compared."""
    try:
        about = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        about = []
    model = next((line for line in about if line.startswith("model name")), "")
    return f"{platform.system()} {platform.machine()} {model}"


def _make(spec: WeightsSpec, cache: Path) -> str:
    """Returns what went wrong, if anything did."""
    logger.info("Exporting %s for this machine; this happens once", spec.choice)
    command = [sys.executable, "-m", "inference.export", spec.choice, "--cache", str(cache)]
    try:
        done = subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, timeout=_MAKING_LIMIT_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"the export could not be made: {error}"
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        return f"the export could not be made: {last[0]}"
    return "the export was made and is not there"
