"""`python -m inference.export`: a model's networks for ONNX Runtime, compared with torch's.

The comparison is over stored photos (and search texts), one by one and four at once. Batch norm
is folded into the convolutions by the exporter.
"""

import argparse
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from inference import exports, specs, torch_networks
from inference.detection import GLANCE
from inference.preprocess import decode, resize_crop, whole
from inference.runtime import Array, Network, OnnxNetwork, Part
from inference.specs import WeightsSpec
from inference.torch_networks import TorchNetwork
from inference.words import encode_words
from kalas.lib.malloc import tune_allocator

logger = logging.getLogger(__name__)

PHOTOS = Path(__file__).resolve().parents[1] / "annotations" / "demo_photos"
_COMPARED = 8
_BATCHES = (1, 4)
_AXES = {2: ("n", "length"), 4: ("n", "height", "width")}
"""Dimensions of inputs that may be any: of texts and of photos."""
_TEXTS = ("red striped women's top", "jeans", "checked men shirt navy blue", "siyah elbise")


def export(spec: WeightsSpec, *, cache: Path, photos: Path = PHOTOS) -> dict[str, float]:
    """Export and compare all parts, and say in a report whether they are admitted.

    Exports of the same version by other libraries or for another machine are deleted. Returns
    each part's error. Raises UnknownModel, BadWeights, OSError.
    """
    folder = exports.place(spec, cache=cache)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as working:
        made = Path(working) / folder.name
        made.mkdir()
        errors: dict[str, float] = {}
        for part, module in torch_networks.build_parts(spec).items():
            inputs = list(_inputs(part, spec, photos))
            file = made / f"{part}.onnx"
            write_onnx(module, file, example=inputs[-1])
            errors[part] = compare(TorchNetwork(module, device="cpu"), OnnxNetwork(file), inputs)
        worst = max(errors.values())
        admitted = worst <= exports.MAX_ERROR
        exports.write_report(
            made,
            {
                "admitted": admitted,
                "reason": "" if admitted else f"the export's answers differ by {worst:.1e}",
                "errors": errors,
                "sha256": {part: exports.digest(made / f"{part}.onnx") for part in errors},
            },
        )
        # Else another engine has made the same one meanwhile, and may be reading it.
        if exports.find(spec, cache=cache) is None:
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(made, folder)
    for older in cache.glob(f"{spec.name}-{spec.version}-*"):
        if older != folder:
            shutil.rmtree(older, ignore_errors=True)
    return errors


def write_onnx(module: nn.Module, file: Path, *, example: Sequence[Array]) -> None:
    """Batches of any size go in, of photos or of texts; `example` gives the types."""
    names = [f"input{i}" for i in range(len(example))]
    free = {
        name: dict(enumerate(_AXES[array.ndim])) for name, array in zip(names, example, strict=True)
    }
    with warnings.catch_warnings():
        # The other exporter takes a minute in place of seconds; torch is pinned.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(torch.from_numpy(array) for array in example),
            str(file),
            input_names=names,
            dynamic_axes=free,
            dynamo=False,
        )


def compare(reference: Network, exported: Network, inputs: Sequence[Sequence[Array]]) -> float:
    """The largest difference relative to the largest number of the same answer."""
    worst = 0.0
    for arrays in inputs:
        for batch in _BATCHES:
            part = [array[:batch] for array in arrays]
            for expected, found in zip(reference(*part), exported(*part), strict=True):
                largest = max(float(np.abs(expected).max()), 1e-6)
                error = float(np.abs(expected - found).max()) / largest
                worst = max(worst, error if np.isfinite(error) else float("inf"))
    return worst


def _inputs(part: Part, spec: WeightsSpec, photos: Path) -> Iterator[Sequence[Array]]:
    """Batches of the largest size that is compared."""
    largest = max(_BATCHES)
    if part == "words":
        yield encode_words(list(_TEXTS))
        return
    sizes = [spec.input_size]
    if part == "finder":
        sizes = [GLANCE, specs.find(spec.finder, store=spec.folder).input_size]
    paths = sorted(photos.glob("*.jpg"))
    if len(paths) < _COMPARED:
        raise FileNotFoundError(f"{photos} has fewer than {_COMPARED} photos to compare on.")
    chosen = paths[:: len(paths) // _COMPARED][:_COMPARED]
    images = [decode(path.read_bytes()) for path in chosen]
    for size in sizes:
        crops = np.stack([resize_crop(image, whole(image), size) for image in images])
        for start in range(0, len(crops), largest):
            yield (crops[start : start + largest],)


def main() -> None:
    parser = argparse.ArgumentParser(description="Export a model for ONNX Runtime.")
    parser.add_argument("model", help="name or name@version")
    parser.add_argument("--cache", type=Path, required=True, help="folder of exports")
    options = parser.parse_args()
    tune_allocator()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    errors = export(specs.find(options.model), cache=options.cache)
    for part, error in errors.items():
        sys.stdout.write(f"{part:10} differs from torch by {error:.1e}\n")


if __name__ == "__main__":
    main()
