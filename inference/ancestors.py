"""What a choice of imported models is, as their descriptions say: nothing is loaded, no torch."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast, get_args

from inference import specs
from inference.contract import ModelName
from inference.specs import BadWeights, UnknownModel, WeightsSpec

JOIN = "+"
"""Between the models of a choice of several."""

Ancestor = Literal["mmfashion", "etryon"]
Kind = Literal["detector", "category", "attributes", "alignment"]
KINDS = cast(tuple[Kind, ...], get_args(Kind))
"""Of eTryOn's stages."""


def find(choice: str, *, store: Path | None) -> Ancestor | None:
    """Whose models this choice is of; None where they are not imported ones."""
    if store is None:
        return None
    try:
        described = specs.find(choice.split(JOIN, maxsplit=1)[0], store=store).architecture
    except UnknownModel:
        return None
    return cast(Ancestor, described) if described in get_args(Ancestor) else None


def read_all(choice: str, *, store: Path) -> list[WeightsSpec]:
    """The descriptions of a choice's models. Raises UnknownModel, BadWeights."""
    return [specs.find(name, store=store) for name in choice.split(JOIN)]


def build_version(members: Sequence[WeightsSpec]) -> str:
    """Of the one that names categories, and of all of them together."""
    return _join_versions(next(spec for spec in members if spec.labels), members)


def read_kind(spec: WeightsSpec) -> Kind:
    """Raises BadWeights for another architecture."""
    kind = json.loads(spec.config)["type"] if spec.architecture == "etryon" else ""
    if kind not in KINDS:
        raise BadWeights(f"{spec.choice} is none of eTryOn's stages.")
    return cast(Kind, kind)


def name_stages(choice: str, stages: Sequence[WeightsSpec]) -> ModelName:
    """After the stage that names classes; the version is another one as soon as any stage is.

    Raises BadWeights where there is no such stage: each garment has to have a category.
    """
    own = next((spec for spec in stages if read_kind(spec) == "category"), None)
    if own is None:
        raise BadWeights(f"{choice}: the category stage is needed among them.")
    return ModelName(own.name, _join_versions(own, stages), "kalas-1")


def _join_versions(own: WeightsSpec, members: Sequence[WeightsSpec]) -> str:
    if len(members) == 1:
        return own.version
    everyone = hashlib.sha256("".join(spec.sha256 for spec in members).encode()).hexdigest()
    return f"{own.version}-{everyone[:8]}"
