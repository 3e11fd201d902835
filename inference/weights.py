"""Weights files: what is known about them, and loading none but the expected ones."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

_STORE = Path(__file__).parent / "weights_store"


class BadWeights(RuntimeError):
    """The weights file is missing or is not the one that the spec describes."""


@dataclass(frozen=True, slots=True)
class WeightsSpec:
    """Everything needed to use a weights file rightly, and to say where it comes from."""

    name: str
    version: str
    file: str
    """In the store beside this module, or an absolute path."""
    sha256: str
    taxonomy: str
    input_size: tuple[int, int]
    """(height, width) of the crops that the network reads."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    temperature: float
    """By which the category logits are divided; fitted after training, stored in the file."""
    source: str
    licence: str
    data: tuple[str, ...]
    """Each data set with its licence."""
    metrics: dict[str, float]
    """On the validation files, as `manage.py evaluate` prints them."""

    @property
    def path(self) -> Path:
        return _STORE / self.file


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
