"""Which of a network's layers learn."""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

from inference import specs
from inference.etryon.stages import load_network
from inference.networks.etryon import Aligned
from inference.specs import BadWeights, UnknownModel
from inference.training.etryon.recipe import BadRecipe


def list_layers(network: nn.Module) -> list[nn.Module]:
    """In the order in which they are built, which is that of their computation: convolutions,
    norms, activations, poolings, one by one."""
    return [module for module in network.modules() if not list(module.children())]


def set_learning(network: nn.Module, *, last: int, heads: tuple[str, ...] = ()) -> None:
    """In training mode; only the last layers learn (0: all) and those under `heads`.

    Layers that don't learn answer as they will later: their norms count no batch, they drop
    nothing.
    """
    network.train()
    if not last and not heads:
        network.requires_grad_(requires_grad=True)
        return
    network.requires_grad_(requires_grad=False)
    learning = set(list_layers(network)[-last:] if last else ())
    for head in heads:
        learning |= set(list_layers(network.get_submodule(head)))
    for layer in list_layers(network):
        layer.train(layer in learning)
        if layer in learning:
            layer.requires_grad_(requires_grad=True)


def begin_with(network: nn.Module, weights: str, *, store: Path) -> int:
    """Take over ImageNet's weights from a file, or an alignment's; how many tensors came.

    The last layer answers other questions and starts anew. Raises BadRecipe.
    """
    target = network.get_submodule("backbone.body") if hasattr(network, "backbone") else network
    if isinstance(network, Aligned):
        target = network.image
    try:
        found = _read(weights, store)
    except (OSError, UnknownModel, BadWeights) as error:
        raise BadRecipe(f"weights: {error}") from error
    except Exception as error:
        raise BadRecipe(f"weights: {weights} holds no weights: {error}") from error
    own = {k: v for k, v in found.items() if not k.startswith(("classifier.", "fc."))}
    there = {k: v for k, v in target.state_dict().items() if not k.startswith("classifier.")}
    odd = [k for k in there if not k.endswith("num_batches_tracked") and k not in own]
    odd += [k for k in own if k not in there or own[k].shape != there[k].shape]
    if odd:
        raise BadRecipe(f"weights: {weights} is of another network: {', '.join(odd[:3])}.")
    target.load_state_dict(own, strict=False)
    return len(own)


def _read(weights: str, store: Path) -> dict[str, Tensor]:
    if "@" not in weights:
        found = load_file(Path(weights))
        return {key.removeprefix("module."): value for key, value in found.items()}
    spec = specs.find(weights, store=store)
    aligned = load_network(spec)
    if not isinstance(aligned, Aligned):
        raise BadRecipe(f"weights: {weights} is no alignment.")
    return dict(aligned.image.state_dict())
