import dataclasses
import hashlib

import pytest
import safetensors.torch
import torch

from inference import registry, weights
from inference.weights import BadWeights


@pytest.fixture
def stored(tmp_path):
    """A small weights file and the spec that describes it."""
    data = safetensors.torch.save(
        {"matrix": torch.ones(2, 3, dtype=torch.float16), "count": torch.tensor(7)}
    )
    path = tmp_path / "small.safetensors"
    path.write_bytes(data)
    spec = dataclasses.replace(
        registry.spec("kalas-mini"), file=str(path), sha256=hashlib.sha256(data).hexdigest()
    )
    return path, spec


def test_loads_half_precision_as_float32_and_counters_as_they_are(stored):
    tensors = weights.load(stored[1])

    assert tensors["matrix"].dtype == torch.float32
    assert tensors["matrix"].shape == (2, 3)
    assert tensors["count"].dtype == torch.int64


def test_refuses_a_file_that_is_not_the_described_one(stored):
    path, spec = stored
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")

    with pytest.raises(BadWeights, match="sha256"):
        weights.load(spec)


def test_refuses_a_missing_file(stored):
    path, spec = stored
    path.unlink()

    with pytest.raises(BadWeights, match="cannot be read"):
        weights.load(spec)
