"""The models of an engine: its own, and others that are asked for by name and loaded then."""

import importlib
import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import psutil

from inference import ancestors, pipeline, specs
from inference.contract import AnnotationResult, ModelName, OtherModel, Vectors
from inference.request import Compared, ModelRefused, Outcome, Photo, try_alone
from inference.specs import BadWeights, UnknownModel, WeightsSpec

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger(__name__)

Kind = Literal["family", "landmarks", "outfits"]
_SPARE = 256 * 2**20
"""Bytes that stay free beside a model that is loaded later."""


@runtime_checkable
class AnyPipeline(Protocol):
    """kalas-mini's or that of imported models."""

    device: str
    runtime: str
    model: ModelName

    def annotate(self, photos: Sequence[Photo]) -> list[Outcome]: ...
    def embed_texts(self, texts: Sequence[str]) -> list[list[float]]: ...
    def warm_up(self, batch: int) -> None: ...


class Companion(Protocol):
    def annotate(self, photo: Photo) -> AnnotationResult: ...


@runtime_checkable
class Recommender(Companion, Protocol):
    def compare(self, asked: Vectors, others: Sequence[Vectors]) -> list[float]: ...


def load(
    choice: str,
    *,
    device: str = "",
    cache: Path | None = None,
    decoders: Executor | None = None,
    helpers: Executor | None = None,
    store: Path | None = None,
    open_network: "Callable[[WeightsSpec], nn.Module] | None" = None,
) -> AnyPipeline:
    """`store`: where imported models lie. Raises UnknownModel, BadWeights."""
    ancestor = ancestors.find(choice, store=store)
    if ancestor is None:
        return pipeline.load(choice, device=device, cache=cache, decoders=decoders, helpers=helpers)
    loaded: AnyPipeline = _import(f"{ancestor}.engine").load(
        choice, store=store, device=device, open_network=open_network
    )
    return loaded


class Families:
    """What `Pipeline` is, for several models; each network is in memory once, whoever uses it."""

    def __init__(
        self,
        choice: str,
        *,
        device: str = "",
        cache: Path | None = None,
        decoders: Executor | None = None,
        helpers: Executor | None = None,
        store: Path | None = None,
        families: Sequence[str] = (),
    ) -> None:
        """Raises UnknownModel, BadWeights for the model of its own."""
        self._choice, self._cache, self._store = choice, cache, store
        self._decoders, self._helpers = decoders, helpers
        self._families = families
        self._lock = Lock()
        self._networks: dict[str, Any] = {}
        self._loaded: dict[str, AnyPipeline | Companion] = {}
        self._device = device
        self._own = self._load_family(choice)
        self.device, self.runtime, self.model = (
            self._own.device,
            self._own.runtime,
            self._own.model,
        )

    def annotate(self, photos: Sequence[Photo]) -> list[Outcome]:
        """One outcome a photo, in order; those of one model together."""
        outcomes: dict[int, Outcome] = {}
        by_model: dict[str, list[int]] = {}
        for i, photo in enumerate(photos):
            by_model.setdefault(photo.model, []).append(i)
        for choice, places in by_model.items():
            found = self._annotate(choice, [photos[i] for i in places])
            outcomes.update(zip(places, found, strict=True))
        return [outcomes[i] for i in range(len(photos))]

    def compare(self, asked: Compared) -> list[float]:
        """Raises ModelRefused."""
        recommender = self._get(asked.model)
        if not isinstance(recommender, Recommender):
            raise ModelRefused(f"{asked.model} does not tell what goes together.")
        try:
            return recommender.compare(asked.asked, asked.others)
        except ValueError as error:
            raise ModelRefused(f"These vectors are not {asked.model}'s.") from error

    def embed_texts(self, texts: Sequence[str]) -> list[list[float]]:
        """Raises NoWords."""
        return self._own.embed_texts(texts)

    def warm_up(self, batch: int) -> None:
        self._own.warm_up(batch)

    def list_others(self) -> tuple[OtherModel, ...]:
        """All that may be asked for; nothing is loaded for it."""
        if self._store is None:
            return ()
        alone = {c.partition("@")[0] for c in specs.list_choices(store=self._store)}
        wanted = dict.fromkeys([*self._families, *sorted(alone)])
        found = (self._describe(choice) for choice in wanted if choice != self._choice)
        return tuple(each for each in found if each)

    def _describe(self, choice: str) -> OtherModel | None:
        assert self._store is not None  # noqa: S101 - asked above
        try:
            ancestor = ancestors.find(choice, store=self._store)
            if ancestor is None:
                spec = specs.find(choice)
                return OtherModel(choice, "family", spec.name, spec.version)
            members = ancestors.read_all(choice, store=self._store)
            if ancestor == "etryon":
                named = ancestors.name_stages(choice, members)
                return OtherModel(choice, "family", named.name, named.version)
        except (UnknownModel, BadWeights) as error:
            logger.warning("%s is not offered: %s", choice, error)
            return None
        kind = _tell_kind(members)
        version = ancestors.build_version(members) if kind == "family" else members[0].version
        return OtherModel(choice, kind, members[0].name, version) if kind else None

    def _annotate(self, choice: str, photos: list[Photo]) -> list[Outcome]:
        try:
            model = self._get(choice)
        except ModelRefused as error:
            return [error] * len(photos)
        if isinstance(model, AnyPipeline):
            return model.annotate(photos)
        return [try_alone(model.annotate, photo) for photo in photos]

    def _get(self, choice: str) -> AnyPipeline | Companion:
        """Raises ModelRefused."""
        if choice in ("", self._choice):
            return self._own
        with self._lock:
            if choice not in self._loaded:
                self._loaded[choice] = self._load_other(choice)
            return self._loaded[choice]

    def _load_other(self, choice: str) -> AnyPipeline | Companion:
        """Raises ModelRefused."""
        kind = next((o.kind for o in self.list_others() if o.choice == choice), None)
        if kind is None or self._store is None:
            raise ModelRefused(f"The engine has no model {choice!r}.")
        try:
            if kind == "family":
                return self._load_family(choice)
            spec = specs.find(choice, store=self._store)
            network = self._open(spec)
        except (UnknownModel, BadWeights) as error:
            raise ModelRefused(str(error)) from error
        kinds = {"landmarks": "Landmarks", "outfits": "Recommender"}
        companion: Companion = getattr(_import("mmfashion.companions"), kinds[kind])(
            spec, network, self.device
        )
        return companion

    def _load_family(self, choice: str) -> AnyPipeline:
        return load(
            choice,
            device=self._device,
            cache=self._cache,
            decoders=self._decoders,
            helpers=self._helpers,
            store=self._store,
            open_network=self._open,
        )

    def _open(self, spec: WeightsSpec) -> "nn.Module":
        """Each weights file once. Raises BadWeights, also where memory is short."""
        if spec.sha256 not in self._networks:
            needed, free = measure(spec), psutil.virtual_memory().available
            if needed + _SPARE > free:
                raise BadWeights(
                    f"{spec.choice} needs {needed / 2**30:.1f} GB of memory,"
                    f" {free / 2**30:.1f} GB are free."
                )
            parts = "etryon.stages" if spec.architecture == "etryon" else "mmfashion.engine"
            device = _import("mmfashion.engine").choose_device(self._device)
            self._networks[spec.sha256] = _import(parts).load_network(spec, device=device)
        network: nn.Module = self._networks[spec.sha256]
        return network


def measure(spec: WeightsSpec) -> int:
    """Bytes of memory: the weights, and what a photo takes on its way where that is much."""
    if spec.architecture == "etryon":
        needed: int = _import("etryon.stages").measure_memory([spec])
        return needed
    return spec.path.stat().st_size


def _tell_kind(members: Sequence[WeightsSpec]) -> Kind | None:
    types = [json.loads(spec.config)["type"] for spec in members if spec.config]
    if types == ["LandmarkDetector"]:
        return "landmarks"
    if types == ["TypeAwareRecommender"]:
        return "outfits"
    return "family" if any(spec.labels for spec in members) else None


def _import(module: str) -> Any:
    """Not at the top: these need torch, which takes seconds and 300 MB, and most engines don't."""
    return importlib.import_module(f"inference.{module}")
