"""A model's networks, ready to compute: arrays in, arrays out. Imports torch only if it must.

On a CPU the networks run in ONNX Runtime where their export has been admitted (`exports`), else
in torch, which is several times slower and larger to start.
"""

import importlib
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from inference import exports, specs
from inference.specs import WeightsSpec

logger = logging.getLogger(__name__)

Array = NDArray[Any]
Floats = NDArray[np.float32]
Part = Literal["garments", "words", "finder"]

_CUDA_DEVICE = Path("/dev/nvidiactl")
_AT_ONCE = 8
"""On a CPU larger batches gain nothing and take memory."""


class Network(Protocol):
    """What a part answers, in this order:

    garments: uint8 crops (N, height, width, 3), RGB → category (N, L), embedding (N, 256),
        colour (N, families), attributes (N, A) as garment_net.Answer describes them;
    words: ids and weights (N, T) of words.encode_words → (N, 256), L2-normalised;
    finder: uint8 photos (N, height, width, 3), RGB → the maps of garment_finder.FinderMaps.
    """

    def __call__(self, *inputs: Array) -> Sequence[Floats]: ...


@dataclass(frozen=True, slots=True)
class Model:
    """One version of a model as it runs here."""

    spec: WeightsSpec
    garments: Network
    words: Network | None = None
    """None where the version knows no words."""
    finder: Network | None = None
    """None where the version finds its one garment by the foreground."""
    finder_mirrored: bool = False
    """Whether the finder sees more with a second look, at the mirror image; see `mirror`."""
    device: str = "cpu"
    runtime: str = ""
    """The library that computes, and why it is not the preferred one if it is not."""


class OnnxNetwork:
    """Safe in several threads at once; each computes by itself on its own core."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # Errors only: its warnings tell how it rewrites a graph, which the comparison has judged.
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self._inputs = [node.name for node in self._session.get_inputs()]

    def __call__(self, *inputs: Array) -> Sequence[Floats]:
        parts = [
            self._session.run(
                None,
                {
                    name: array[start : start + _AT_ONCE]
                    for name, array in zip(self._inputs, inputs, strict=True)
                },
            )
            for start in range(0, len(inputs[0]), _AT_ONCE)
        ]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]


def open_model(choice: str, *, device: str = "", cache: Path | None = None) -> Model:
    """Load the model onto the device. `cache` is the folder of exports; without one torch runs.

    Raises UnknownModel, BadWeights.
    """
    spec = specs.find(choice)
    device = choose_device(device)
    if device != "cpu" or cache is None:
        return _open_in_torch(spec, device, "")
    found = exports.ensure(spec, cache=cache)
    if not found.files:
        logger.warning("%s runs in torch: %s", spec.choice, found.reason)
        return _open_in_torch(spec, device, found.reason)
    networks: dict[str, Network] = {part: OnnxNetwork(file) for part, file in found.files.items()}
    return Model(
        spec=spec,
        garments=networks["garments"],
        words=networks.get("words"),
        finder=networks.get("finder"),
        finder_mirrored=specs.is_finder_mirrored(spec),
        runtime=f"onnxruntime {onnxruntime.__version__}",
    )


def choose_device(name: str = "") -> str:
    """The named torch device, else CUDA where there is one."""
    if name:
        return name
    if not _CUDA_DEVICE.exists():
        return "cpu"
    torch = importlib.import_module("torch")
    return "cuda" if torch.cuda.is_available() else "cpu"


def use_one_core() -> None:
    """For this thread's networks, where torch computes; elsewhere it is so anyway."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def _open_in_torch(spec: WeightsSpec, device: str, reason: str) -> Model:
    # Not imported at the top: it takes seconds and 300 MB that an admitted export saves.
    networks = importlib.import_module("inference.torch_networks")
    model: Model = networks.open_model(spec, device=device, reason=reason)
    return model
