"""MMFashion's models in the engine: the same questions as to kalas-mini, its own answers beside.

A family is one or several imported models joined by "+": a predictor; another one whose
attributes count, as in Dogacel's fork; a landmark detector, for predictors that look around
landmarks; a retriever, whose embeddings are stored.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from inference import ancestors, weights
from inference.colours import Palette, name_colours
from inference.contract import (
    MIN_SIDE,
    AnnotationResult,
    Box,
    Colour,
    Garment,
    ModelName,
)
from inference.mmfashion.meanings import translate_attributes, translate_categories
from inference.mmfashion.pictures import read_pixels
from inference.networks.mmfashion import build
from inference.networks.mmfashion.landmark_detector import LandmarkDetector
from inference.networks.mmfashion.predictor import Predictor
from inference.networks.mmfashion.retriever import Retriever
from inference.pipeline import clip_crop
from inference.preprocess import decode, whole
from inference.request import NoWords, Outcome, Photo, try_alone
from inference.scenes import look
from inference.specs import BadWeights, WeightsSpec
from inference.taxonomy import load as load_taxonomy


class Original(NamedTuple):
    """What the models said of one photo, by their own names."""

    categories: dict[str, float]
    """Sigmoid of the category head, as MMFashion answers: they do not sum to 1."""
    probabilities: dict[str, float]
    """Its softmax at the described temperature: these do."""
    attributes: dict[str, float]
    embedding: tuple[float, ...]


class Family:
    """The networks of one choice, each loaded once."""

    def __init__(
        self,
        choice: str,
        *,
        store: Path,
        device: torch.device | str = "cpu",
        open_network: Callable[[WeightsSpec], nn.Module] | None = None,
    ) -> None:
        """`open_network` where networks are shared. Raises UnknownModel, BadWeights."""
        self.choice, self.device = choice, torch.device(device)
        self._open = open_network or partial(load_network, device=self.device)
        self.predictors: list[tuple[WeightsSpec, Predictor]] = []
        self.detector: LandmarkDetector | None = None
        self.retriever: Retriever | None = None
        self.members: list[WeightsSpec] = []
        for spec in ancestors.read_all(choice, store=store):
            self._take(spec)
        with_categories = [p for p in self.predictors if hasattr(p[1], "cate_predictor")]
        if not with_categories:
            raise BadWeights(f"{choice}: a predictor of categories is needed among them.")
        self.namer = with_categories[0]
        # As in the fork: where a second one tells more attributes, the first one's are left.
        self.teller = max(self.predictors, key=lambda p: len(p[0].attributes[0][1]))
        if self.detector is None and any(hasattr(p, "roi_pool") for _, p in self.predictors):
            raise BadWeights(
                f"{choice} looks around landmarks: add an imported landmark detector to it "
                f"({choice}{ancestors.JOIN}NAME)."
            )

    @property
    def version(self) -> str:
        """Another one as soon as any of the models is: embeddings of two are never compared."""
        return ancestors.build_version(self.members)

    @property
    def temperature(self) -> float | None:
        """That of the category head; None as long as it was not fitted (`calibrate_categories`)."""
        return self.namer[0].metrics.get("temperature")

    def _take(self, spec: WeightsSpec) -> None:
        self.members.append(spec)
        network = self._open(spec)
        if isinstance(network, Predictor):
            self.predictors.append((spec, network))
        elif isinstance(network, Retriever):
            self.retriever = network
        elif isinstance(network, LandmarkDetector):
            self.detector = network
        else:
            raise BadWeights(f"{spec.choice} neither names garments nor finds them again.")

    @torch.inference_mode()
    def answer(self, pictures: Tensor) -> list[Original]:
        """float32 (N, 3, 224, 224) → N answers."""
        pictures = pictures.to(self.device)
        points = self._find_points(pictures)
        said = {id(p): p(pictures, points) for _, p in self.predictors}
        categories = cast(Tensor, said[id(self.namer[1])].categories).cpu()
        attributes = said[id(self.teller[1])].attributes.sigmoid().cpu()
        temperature = self.temperature or 1.0
        embeddings = self._embed(pictures)
        labels = self.namer[0].labels
        [(_, names)] = self.teller[0].attributes
        return [
            Original(
                categories=_name(labels, categories[i].sigmoid()),
                probabilities=_name(labels, (categories[i] / temperature).softmax(0)),
                attributes=_name(names, attributes[i]),
                embedding=tuple(round(x, 6) for x in embeddings[i].tolist()),
            )
            for i in range(len(pictures))
        ]

    @torch.inference_mode()
    def rank(self, pictures: Tensor) -> Tensor:
        """float32 (N, 3, 224, 224) → (N, categories): the category head's logits."""
        pictures = pictures.to(self.device)
        said = self.namer[1](pictures, self._find_points(pictures))
        return cast(Tensor, said.categories).cpu()

    def _find_points(self, pictures: Tensor) -> Tensor | None:
        return self.detector(pictures).points.flatten(1) if self.detector else None

    def _embed(self, pictures: Tensor) -> Tensor:
        """(N, 256) of length 1, since the retriever compares by the cosine; (N, 0) without one.

        The whole picture counts, as in the demo: its landmarks were none.
        """
        if self.retriever is None:
            return torch.zeros(len(pictures), 0)
        return functional.normalize(self.retriever(pictures), dim=1).cpu()


class FamilyPipeline:
    """A family behind the engine's endpoints: what `pipeline.Pipeline` is for kalas-mini."""

    def __init__(self, family: Family) -> None:
        self.device = str(family.device)
        self.runtime = "torch"
        self.model = ModelName(family.namer[0].name, family.version, "kalas-1")
        self._family = family
        self._palette = Palette.of(load_taxonomy().colours)

    def annotate(self, photos: Sequence[Photo]) -> list[Outcome]:
        """One outcome a photo, in order: a result, or the exception that concerns it alone."""
        return [try_alone(self._annotate, photo) for photo in photos]

    def embed_texts(self, texts: Sequence[str]) -> list[list[float]]:
        raise NoWords(f"{self._family.choice} does not read words.")

    def warm_up(self, batch: int) -> None:
        self._family.answer(torch.zeros(1, 3, 224, 224))

    def _annotate(self, photo: Photo) -> AnnotationResult:
        start = perf_counter()
        image = decode(photo.data)
        area = clip_crop(photo.crop, whole(image))
        decoded = perf_counter()
        if min(area.width, area.height) < MIN_SIDE:
            return AnnotationResult(image.shape[1], image.shape[0], self.model, (), "too-small")
        shown = image[area.top : area.bottom, area.left : area.right]
        [said] = self._family.answer(read_pixels(shown)[None])
        classified = perf_counter()
        view = look(image, area, None, size=(224, 224)).whole
        box, cloth = (view.box, view.cloth.pixels) if view else (area, shown.reshape(-1, 3))
        garment = self._describe(said, box, name_colours(cloth, self._palette))
        done = perf_counter()
        fitted = self._family.temperature
        return AnnotationResult(
            width=image.shape[1],
            height=image.shape[0],
            model=self.model,
            garments=(garment,),
            timings_ms={
                "decode": round((decoded - start) * 1000, 2),
                "classify": round((classified - decoded) * 1000, 2),
                "colours": round((done - classified) * 1000, 2),
            },
            original={
                "categories": _round(said.categories),
                "category_probabilities": _round(said.probabilities),
                "attributes": _round(said.attributes),
                **({"calibration": {"temperature": fitted}} if fitted else {}),
            },
        )

    def _describe(self, said: Original, box: Box, colours: tuple[Colour, ...]) -> Garment:
        category = translate_categories(said.probabilities)
        likeliest = max(said.probabilities, key=lambda name: said.probabilities[name])
        return Garment(
            object=load_taxonomy().category(category.name).object_type,
            confidence=category.confidence,
            primary=True,
            box=box,
            category=category,
            attributes=translate_attributes(said.attributes, likeliest=likeliest),
            colours=colours,
            embedding=said.embedding,
        )


def load(
    choice: str,
    *,
    store: Path,
    device: str = "",
    open_network: Callable[[WeightsSpec], nn.Module] | None = None,
) -> FamilyPipeline:
    """Raises UnknownModel, BadWeights."""
    chosen = choose_device(device)
    return FamilyPipeline(Family(choice, store=store, device=chosen, open_network=open_network))


def choose_device(device: str) -> str:
    return device or ("cuda" if torch.cuda.is_available() else "cpu")


def load_network(spec: WeightsSpec, *, device: torch.device | str = "cpu") -> nn.Module:
    """The imported model in evaluation mode; its weights are in memory once. Raises BadWeights."""
    if weights.hash_file(spec.path) != spec.sha256:
        raise BadWeights(f"The weights {spec.path.name} are not those that were imported.")
    network = build.build(json.loads(spec.config), device="meta")
    network.load_state_dict(load_file(spec.path, device=str(device)), assign=True)
    return network.to(device).eval().requires_grad_(False)


def _name(names: Sequence[str], values: Tensor) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


def _round(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 8) for name, value in values.items()}
