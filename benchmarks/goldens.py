"""All reference outputs of MMFashion and SuperPoint against Kalas' networks.

    python -m benchmarks.goldens FOLDER [MODEL …] [--images FOLDER]

FOLDER is the goldens' own, with models/*.json and superpoint/*.json in it; MODEL is a part of a
file's name. `--images` holds attr_pred_demo1.jpg and demo1.jpg of MMFashion's demo, which are not
distributed: without them the runs on them are left out. One model is in memory at a time; the
largest takes 2.2 GB.
"""

import argparse
import gc
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inference.mmfashion.pictures import read_picture
from inference.networks.mmfashion import build, released
from inference.networks.mmfashion.geometric_matching import GeometricMatching
from inference.networks.mmfashion.tryon import TryOn
from inference.tests import golden_runs, goldens


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.goldens")
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--images", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    images = read_images(options.images)
    failed = 0
    for path in sorted((options.folder / "models").glob("*.json")):
        if options.models and not any(part in path.name for part in options.models):
            continue
        golden = json.loads(path.read_text())
        found = list(compare(golden, path.stem, images))
        worst, what = max((difference, name) for name, difference in found)
        limit = choose_tolerance(path.stem, golden)
        failed += worst > limit
        verdict = "as the original" if worst <= limit else "DIFFERS"
        print(f"{path.stem}: {len(found)} compared, {worst:.1e} ({what}): {verdict}", flush=True)
        gc.collect()
    sys.exit(1 if failed else 0)


def read_images(folder: Path | None) -> dict[str, Tensor]:
    images = {"a": goldens.make_input()}
    if folder is not None:
        for name, file in (("b1", "attr_pred_demo1.jpg"), ("b2", "demo1.jpg")):
            images[name] = read_picture((folder / file).read_bytes(), square=False)[None]
    return images


def compare(golden: Any, stem: str, images: dict[str, Tensor]) -> Iterator[tuple[str, float]]:
    config = next(
        c for c in released.CONFIGS if c.replace("/", "__") == stem.removesuffix("__ruleB")
    )
    network = build.build(released.CONFIGS[config])
    # Those of rule B refer to the file of rule A.
    if isinstance(golden.get("state_dict"), list):
        keys = [[k, list(t.shape)] for k, t in network.state_dict().items()]
        yield "keys", float(keys != [[k, shape] for k, shape, _ in golden["state_dict"]])
    with torch.inference_mode():
        goldens.fill(network, gain=golden["weight_gain"])
    if isinstance(network, GeometricMatching):
        yield from golden_runs.compare_matching(network, golden["runs"])
    elif isinstance(network, TryOn):
        yield from golden_runs.compare_tryon(network, golden["runs"])
    else:
        yield from golden_runs.compare(network, golden["runs"], images)


def choose_tolerance(stem: str, golden: Any) -> float:
    """As the goldens' README suggests; of TOM it says nothing."""
    if "GMM" in stem:
        return 1e-3
    if "TOM" in stem:
        # Images from -1 to 1; 1.3e-5 apart on a processor without AVX-512.
        return 5e-5
    if golden["weight_gain"] != 1:
        return 1e-4
    return 1e-6 if "vgg" in stem else 1e-5


if __name__ == "__main__":
    main()
