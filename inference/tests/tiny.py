"""A network without weights that knows three things: red cloth, blue cloth, and nothing."""

from collections.abc import Sequence

import numpy as np

from inference import taxonomy
from inference.pipeline import Pipeline
from inference.runtime import Array, Floats, Model, Network
from inference.specs import WeightsSpec

SPEC = WeightsSpec(
    name="tiny",
    version="0",
    architecture="garment-net",
    taxonomy="kalas-1",
    sha256="",
    input_size=(96, 72),
    labels=taxonomy.load().label_order,
)
RED, BLUE = "t-shirt", "jeans"


def tiny_network(*inputs: Array) -> Sequence[Floats]:
    """Red in the middle is a t-shirt, blue there is jeans, white is not a garment."""
    [crops] = inputs
    height, width = crops.shape[1:3]
    inner = crops[:, height // 4 : -height // 4, width // 4 : -width // 4] / np.float32(255)
    middle = np.asarray(inner.mean(axis=(1, 2)), dtype=np.float32)
    logits = np.zeros((len(crops), len(SPEC.labels)), np.float32)
    logits[:, SPEC.labels.index(RED)] = 20 * (middle[:, 0] - middle[:, 2])
    logits[:, SPEC.labels.index(BLUE)] = 20 * (middle[:, 2] - middle[:, 0])
    logits[:, SPEC.labels.index(taxonomy.load().abstention)] = 20 * (middle.min(axis=1) > 0.9)
    embedding = np.repeat(middle, 86, axis=1)[:, :256]
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    return [logits, embedding, middle, np.zeros((len(crops), 5), np.float32)]


def doubting_network(*inputs: Array) -> Sequence[Floats]:
    """The same, far less sure of each category."""
    logits, *others = tiny_network(*inputs)
    return [logits / np.float32(8), *others]


class Recorded:
    """A network that keeps what it was shown."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.shown: list[Array] = []

    def __call__(self, *inputs: Array) -> Sequence[Floats]:
        self.shown.append(inputs[0])
        return self.network(*inputs)


def make_pipeline(
    garments: Network = tiny_network,
    *,
    words: Network | None = None,
    finder: Network | None = None,
) -> Pipeline:
    return Pipeline(Model(SPEC, garments, words, finder))
