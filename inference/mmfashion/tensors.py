"""safetensors files written one tensor after the other: no second copy of a large model."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

_NAMES = {torch.float32: "F32", torch.int64: "I64"}


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """float32 and int64, in their order."""
    header: dict[str, object] = {}
    place = 0
    for key, tensor in tensors.items():
        end = place + tensor.numel() * tensor.element_size()
        header[key] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [place, end],
        }
        place = end
    written = json.dumps(header, separators=(",", ":")).encode()
    written += b" " * (-len(written) % 8)
    with path.open("wb") as stream:
        stream.write(len(written).to_bytes(8, "little"))
        stream.write(written)
        for tensor in tensors.values():
            stream.write(tensor.contiguous().reshape(-1).numpy().data.cast("B"))
