"""Bring a foreign checkpoint in: read in a confined process, checked, described, put in its place.

Nothing of the file is executed, and nothing is in its place until all of it is.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from inference import specs
from inference.etryon import names as etryon
from inference.etryon.tensors import MEAN, STD
from inference.mmfashion import names
from inference.mmfashion.data import polyvore
from inference.mmfashion.data.lists import BadData
from inference.networks.mmfashion import released
from inference.specs import WeightsSpec
from inference.weights import hash_file

ROOT = Path(__file__).parent.parent.parent
SECONDS = 1800
LARGEST = 16 * 2**30
_RUNTIME = 6 * 2**30
"""Address space of Python with torch; most of it is never used."""


class CannotImport(ValueError):
    """One line says why and what to do."""


@dataclass(frozen=True, slots=True)
class Imported:
    spec: WeightsSpec
    tensors: int
    counters: int
    """How many batch counters the file lacked."""
    memory: int
    """Bytes that the model takes when it answers."""


def import_weights(
    file: Path,
    *,
    config: str,
    store: Path,
    name: str = "",
    part: str = "",
    labels: Path | None = None,
    attributes: Path | None = None,
    spaces: Path | None = None,
    source: str = "",
    licence: str = "",
    seconds: int = SECONDS,
) -> Imported:
    """The checkpoint as a new version of `name` in the store. Raises CannotImport.

    config: the name of a released model, `superpoint`, one of eTryOn's, or a path to MMFashion's
    file. labels, attributes: DeepFashion's list_category_cloth.txt and list_attr_cloth.txt; of
    eTryOn's models a name a line. spaces: Polyvore's typespaces.p, by which a recommender knows
    pairs of types.
    """
    size = _measure(file)
    answers = (
        etryon.find(config, labels=labels, attributes=attributes)
        if config in etryon.CONFIGS
        else None
    )
    name = name or _make_name(config, part)
    if not _is_name(name):
        raise CannotImport(f"{name!r} is no name: small letters, digits and hyphens are.")
    told = (("spaces", _name_spaces(spaces)),) if spaces else ()
    store.mkdir(parents=True, exist_ok=True)
    _check_room(file, size, store)
    with tempfile.TemporaryDirectory(dir=store, prefix=".import-") as work:
        answer = _read(
            {
                "file": str(file.resolve()),
                "config": _place(config),
                "settings": dict(answers.settings) if answers else None,
                "part": part,
                "work": work,
                "memory": _RUNTIME + 3 * size,
                "seconds": seconds,
                "file_size": 2 * size + 2**24,
            },
            seconds,
        )
        read = Path(work) / "weights.safetensors"
        versions = specs.list_versions(name, store=store)
        spec = WeightsSpec(
            name=name,
            version=str(int(versions[-1]) + 1 if versions else 1),
            sha256=hash_file(read),
            source=source or f"imported from {file.name}",
            licence=licence or "not stated",
            folder=store,
            **(
                _describe_stage(answers)
                if answers
                else _describe(answer["model"], labels=labels, attributes=attributes, told=told)
            ),
        )
        described = specs.write(replace(spec, folder=Path(work)))
        memory = read.stat().st_size
        read.replace(spec.path)
        described.replace(spec.path.with_suffix(".toml"))
    return Imported(spec, answer["tensors"], answer["counters"], memory)


def _describe(
    model: Mapping[str, Any] | None,
    *,
    labels: Path | None,
    attributes: Path | None,
    told: tuple[tuple[str, tuple[str, ...]], ...],
) -> dict[str, Any]:
    """Of MMFashion's models; of SuperPoint where there are no settings. `told` are the names that
    a model without attributes of its own is imported with."""
    if model is None:
        return {"architecture": "superpoint", "taxonomy": "none"}
    known = names.find(model, labels=labels, attributes=attributes)
    return {
        "architecture": "mmfashion",
        "taxonomy": "deepfashion" if known else "none",
        "input_size": (224, 224),
        "mean": MEAN,
        "std": STD,
        "config": json.dumps(model),
        "labels": known.categories if known else (),
        "attributes": (("deepfashion", known.attributes),) if known else told,
    }


def _describe_stage(answers: etryon.Answers) -> dict[str, Any]:
    return {
        "architecture": "etryon",
        "taxonomy": "mallzee",
        "input_size": answers.size,
        "mean": MEAN,
        "std": STD,
        "config": json.dumps(answers.settings),
        "labels": answers.labels,
        "attributes": answers.attributes,
        "floors": {"object": 0.99} if answers.settings["type"] == "detector" else {},
    }


def _name_spaces(path: Path) -> tuple[str, ...]:
    """Pairs of types in the order of their spaces."""
    try:
        numbers = polyvore.read_spaces(path)
    except BadData as error:
        raise CannotImport(str(error)) from error
    return polyvore.name_spaces(numbers)


def _place(config: str) -> str:
    """A path is read from elsewhere; a name stays one."""
    known = config in {*released.CONFIGS, *etryon.CONFIGS, "superpoint"}
    return config if known else str(Path(config).resolve())


def _measure(file: Path) -> int:
    try:
        size = file.stat().st_size
        with file.open("rb"):
            pass
    except OSError as error:
        raise CannotImport(f"{file.name} cannot be read: {error.strerror}.") from error
    if size == 0:
        raise CannotImport(f"{file.name} is empty.")
    if size > LARGEST:
        raise CannotImport(f"{file.name} is larger than 16 GB.")
    return size


def _check_room(file: Path, size: int, store: Path) -> None:
    needed, free = size + 2**29, psutil.virtual_memory().available
    if needed > free:
        raise CannotImport(
            f"Reading {file.name} needs {say_size(needed)} of memory, {say_size(free)} are free."
        )
    left = shutil.disk_usage(store).free
    if size + 2**26 > left:
        raise CannotImport(
            f"{file.name} needs {say_size(size)} on the disk, {say_size(left)} are free."
        )


def _read(request: Mapping[str, Any], seconds: int) -> dict[str, Any]:
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "TMPDIR": request["work"],
        "HOME": request["work"],
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "inference.mmfashion.reading"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment,
            timeout=2 * seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CannotImport("Reading the checkpoint took too long; it was stopped.") from error
    name = Path(request["file"]).name
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        last = (done.stderr.strip().splitlines() or [f"signal {-done.returncode}"])[-1]
        raise CannotImport(
            f"{name} could not be read within the limits set for it ({last[:200]})."
        ) from error
    if "error" in answer:
        raise CannotImport(str(answer["error"]))
    return answer


def _make_name(config: str, part: str) -> str:
    if config == "superpoint":
        return config
    if config in etryon.CONFIGS:
        return config.replace("/", "-")
    stem = "-".join(Path(config).with_suffix("").parts[-2:] if "/" in config else [config])
    made = "".join(c if c.isalnum() else "-" for c in f"mmfashion-{stem} {part}".strip().lower())
    return "-".join(piece for piece in made.split("-") if piece)


def _is_name(name: str) -> bool:
    return name.isascii() and name.replace("-", "").isalnum() and name == name.lower()


def say_size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"
