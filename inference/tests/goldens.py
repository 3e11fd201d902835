"""Reference outputs of MMFashion's and SuperPoint's own code, with weights that anybody can make.

The rules for weights and inputs are those of the goldens' rules.md; a compact part of the goldens
lies in goldens/, all of them are compared by `python -m benchmarks.goldens FOLDER`.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

FOLDER = Path(__file__).parent / "goldens"
RULE_B = math.sqrt(2)
L = [60, 40, 164, 40, 40, 120, 184, 120, 70, 180, 154, 180, 112, 30.5, 118.25, 210.75]
LANDMARKS = {
    "L": torch.tensor([L]),
    "L_div32": torch.tensor([L]) / 32,
    "zeros16": torch.zeros(1, 16),
    "ones16": torch.ones(1, 16),
}

Values = NDArray[np.float32]


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


def generate(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def draw(key: str, shape: tuple[int, ...], *, gain: float = 1.0) -> Values:
    """The weights of this key by rule A, or by rule B with its gain."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
    normal = generate(seed).standard_normal(shape, dtype=np.float32)
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "running_mean":
        return np.float32(0.1) * normal
    if leaf == "running_var":
        return np.float32(1) + np.float32(0.1) * np.abs(normal)
    if len(shape) >= 2:
        normal *= np.float32(gain / np.sqrt(np.float64(math.prod(shape[1:]))))
        return normal
    if leaf == "bias":
        return np.float32(0.01) * normal
    return np.float32(1) + np.float32(0.1) * normal


def fill(network: nn.Module, *, gain: float = 1.0) -> None:
    """In the order of the state_dict: the later key of an aliased pair wins."""
    for key, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.from_numpy(draw(key, tuple(tensor.shape), gain=gain)))


def make_input() -> Tensor:
    """Input a."""
    noise = generate(0).standard_normal((1, 3, 224, 224), dtype=np.float32)
    return torch.from_numpy(noise)


def find_difference(found: Tensor, golden: Mapping[str, Any], *, rows: int | None = None) -> float:
    """The largest absolute difference; `rows`: of so many of the batch's first alone.

    Raises AssertionError where the shapes differ.
    """
    shape = tuple(golden["shape"])
    values = found.detach().reshape(-1).double().numpy()
    if tuple(found.shape) != shape:
        # A batch of one may have lost its first dimension there.
        assert tuple(found.shape) == (1, *shape), (tuple(found.shape), shape)
    size = math.prod(shape)
    limit = size if rows is None else size // shape[0] * rows
    pairs = [(i, v) for i, v in _list_values(golden, size) if i < limit]
    return max(abs(float(values[i]) - v) for i, v in pairs)


def _list_values(golden: Mapping[str, Any], size: int) -> Iterator[tuple[int, float]]:
    if "data" in golden:
        yield from enumerate(_flatten(golden["data"]))
        return
    yield from enumerate(golden["first64"])
    for i, value in enumerate(golden["sample256"]):
        yield (i * 2654435761) % size, value


def _flatten(data: Any) -> Iterator[float]:
    if isinstance(data, list):
        for item in data:
            yield from _flatten(item)
    else:
        yield float(data)


def shorten(golden: Any) -> Any:
    """A golden small enough for the repository: large arrays by 16 + 64 of their values."""
    if not isinstance(golden, dict):
        return [shorten(item) for item in golden] if isinstance(golden, list) else golden
    if "sample256" in golden:
        return {
            "shape": golden["shape"],
            "first64": golden["first64"][:16],
            "sample256": golden["sample256"][:64],
        }
    if "data" in golden and "shape" in golden:
        size = math.prod(golden["shape"])
        if size <= 80:
            return {"shape": golden["shape"], "data": golden["data"]}
        flat = list(_flatten(golden["data"]))
        sample = [flat[(i * 2654435761) % size] for i in range(64)]
        return {"shape": golden["shape"], "first64": flat[:16], "sample256": sample}
    return {key: shorten(value) for key, value in golden.items()}
