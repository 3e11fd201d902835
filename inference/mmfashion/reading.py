"""The confined process: a foreign checkpoint and its configuration → plain tensors in a file.

    python -m inference.mmfashion.reading    (a request as JSON on its standard input)

`importing` starts it. It answers one JSON object on its standard output: the model's settings and
what was found, or the reason why not.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from inference import ancestors
from inference.mmfashion import config_file, confinement, pickles
from inference.mmfashion.tensors import write_tensors
from inference.networks import etryon
from inference.networks.mmfashion import build, released
from inference.networks.mmfashion.settings import BadConfig
from inference.networks.superpoint import SuperPoint

SHOWN = 5


class WrongWeights(ValueError):
    """The checkpoint is of another model, or its numbers are none."""


def main() -> None:
    request = json.load(sys.stdin)
    work = Path(request["work"])
    confinement.limit_resources(
        memory=request["memory"], seconds=request["seconds"], file_size=request["file_size"]
    )
    confinement.forbid(writable=work)
    try:
        answer = read(request, work)
    except (BadConfig, pickles.NotACheckpoint, WrongWeights) as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": "There is not enough memory to read this checkpoint."}
    json.dump(answer, sys.stdout)


def read(request: Mapping[str, Any], work: Path) -> dict[str, Any]:
    model = request.get("settings") or find_model(request)
    network = build_empty(model)
    wanted = network.state_dict()
    path = Path(request["file"])
    tensors = read_checkpoint(path)
    report = fit(tensors, wanted, name=path.name)
    write_tensors(work / "weights.safetensors", tensors)
    return {"model": model, **report}


def build_empty(model: Mapping[str, Any] | None) -> nn.Module:
    """Without weights. Raises BadConfig."""
    if model is None:
        with torch.device("meta"):
            return SuperPoint()
    if model["type"] in ancestors.KINDS:
        return etryon.build(model, device="meta")
    return build.build(model, device="meta")


def find_model(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The settings as JSON can hold them; None for SuperPoint, which has none."""
    name = str(request["config"])
    if name == "superpoint":
        return None
    if name in released.CONFIGS:
        return plain(released.CONFIGS[name])
    path = Path(name)
    return plain(
        config_file.choose_model(config_file.read(path), name=path.name, part=request["part"])
    )


def plain(model: Mapping[str, Any]) -> dict[str, Any]:
    """Without classes and tuples. Raises BadConfig."""
    named = {k: v.__name__ if isinstance(v, type) else v for k, v in model.items()}
    try:
        written: dict[str, Any] = json.loads(json.dumps(named))
    except (TypeError, ValueError) as error:
        raise BadConfig(f"model: {error}") from error
    return written


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The state_dict of the file, as float32. Raises NotACheckpoint."""
    pickles.check(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:
        raise pickles.NotACheckpoint(f"{path.name} is truncated or damaged.") from error
    for key in ("state_dict", "model_state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not content:
        raise pickles.NotACheckpoint(f"{path.name} holds no state_dict.")
    strange = [str(k) for k, v in content.items() if not isinstance(v, Tensor)]
    if strange:
        raise pickles.NotACheckpoint(
            f"{path.name} holds more than tensors in its state_dict: {list_some(strange)}."
        )
    if str(next(iter(content))).startswith("module."):
        content = {str(k).removeprefix("module."): v for k, v in content.items()}
    return {str(k): v.float() if v.is_floating_point() else v for k, v in content.items()}


def fit(tensors: dict[str, Tensor], wanted: Mapping[str, Tensor], *, name: str) -> dict[str, Any]:
    """Exactly the model's keys and shapes, in its order. Raises WrongWeights.

    Counters of batches are missing in files older than torch 0.4.1; they begin at 0, as they
    count for nothing in a network that answers.
    """
    counters = [k for k in wanted if k not in tensors and k.endswith("num_batches_tracked")]
    for key in counters:
        tensors[key] = torch.zeros((), dtype=torch.int64)
    missing = [k for k in wanted if k not in tensors]
    left_over = [k for k in tensors if k not in wanted]
    if missing or left_over:
        parts = [f"{len(missing)} missing ({list_some(missing)})"] if missing else []
        parts += [f"{len(left_over)} left over ({list_some(left_over)})"] if left_over else []
        raise WrongWeights(
            f"{name} is of another model than the configuration: of {len(wanted)} tensors "
            f"{' and '.join(parts)}. Nothing was imported."
        )
    for key, tensor in wanted.items():
        if tensors[key].shape != tensor.shape:
            raise WrongWeights(
                f"{name} is of another model than the configuration: {key} is "
                f"{list(tensors[key].shape)}, {list(tensor.shape)} is needed. Nothing was imported."
            )
        if tensors[key].is_floating_point() and not tensors[key].isfinite().all():
            raise WrongWeights(f"{name}: {key} holds numbers that are none (NaN or infinite).")
    ordered = {key: tensors.pop(key) for key in wanted}
    tensors.update(ordered)
    return {"tensors": len(ordered), "counters": len(counters)}


def list_some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


if __name__ == "__main__":
    main()
