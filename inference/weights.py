"""Weights files: loading none but the described ones, and describing a new one."""

import hashlib
from dataclasses import replace
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from inference import specs
from inference.specs import BadWeights, WeightsSpec


def load(spec: WeightsSpec) -> dict[str, Tensor]:
    """The tensors by name, float32 on the CPU. Raises BadWeights."""
    try:
        data = spec.path.read_bytes()
    except OSError as error:
        raise BadWeights(
            f"The weights {spec.path.name} cannot be read: {error.strerror}."
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != spec.sha256:
        raise BadWeights(
            f"The weights {spec.path.name} have sha256 {found}, expected {spec.sha256}."
        )
    return widen(rename(safetensors.torch.load(data)))


def hash_file(path: Path) -> str:
    """The sha256 of a file of any size."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_sidecar(spec: WeightsSpec) -> Path:
    """Describe the weights file that lies at `spec.path`, with its sha256 taken from the file.

    Raises BadWeights where the file's heads have other sizes than the description.
    """
    described = replace(spec, sha256=hashlib.sha256(spec.path.read_bytes()).hexdigest())
    tensors = load(described)
    if spec.architecture == "garment-net":
        for head, size in (
            ("category", len(spec.labels)),
            ("colour", len(spec.colour_families)),
            ("attributes", spec.attribute_values),
        ):
            last = max(n for n in tensors if n.startswith(f"{head}.") and n.endswith("bias"))
            if len(tensors[last]) != size:
                raise BadWeights(
                    f"The {head} head answers {len(tensors[last])} values, {size} are described."
                )
    return specs.write(described)


def widen(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Half-precision storage → the float32 of the computation; counters stay whole numbers."""
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}


def rename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The first format had a gender head, which is the attributes' only key there."""
    if "gender.weight" not in tensors:
        return tensors
    named = {k.replace("gender.", "attributes."): v for k, v in tensors.items()}
    named["colour_temperature"] = torch.ones(())
    named["attribute_temperatures"] = torch.ones(len(named["attributes.bias"]))
    return named
