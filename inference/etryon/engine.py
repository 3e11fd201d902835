"""eTryOn's stages behind the engine's endpoints: the same questions as to kalas-mini."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter

import torch
from torch import nn

from inference import ancestors
from inference.colours import Palette, name_colours
from inference.contract import (
    MIN_SIDE,
    Alternative,
    AnnotationResult,
    Category,
    Garment,
    Label,
)
from inference.etryon import mallzee
from inference.etryon.stages import Seen, Stages
from inference.pipeline import clip_crop
from inference.preprocess import Pixels, decode, whole
from inference.request import NoWords, Outcome, Photo, try_alone
from inference.scenes import look
from inference.specs import WeightsSpec
from inference.taxonomy import load as load_taxonomy

_SHOWN = 4
"""Alternatives beside the likeliest category."""


class EtryonPipeline:
    """What `pipeline.Pipeline` is for kalas-mini."""

    def __init__(self, stages: Stages) -> None:
        """Raises BadWeights where no stage names classes: each garment has to have a category."""
        self.device, self.runtime = str(stages.device), "torch"
        self.model = ancestors.name_stages(stages.choice, stages.specs)
        self._stages = stages
        self._palette = Palette.of(load_taxonomy().colours)

    def annotate(self, photos: Sequence[Photo]) -> list[Outcome]:
        """One outcome a photo, in order: a result, or the exception that concerns it alone."""
        return [try_alone(self._annotate, photo) for photo in photos]

    def embed_texts(self, texts: Sequence[str]) -> list[list[float]]:
        raise NoWords(f"{self._stages.choice} does not read words.")

    def warm_up(self, batch: int) -> None:
        self._stages.see(torch.zeros(64, 64, 3, dtype=torch.uint8).numpy())

    def _annotate(self, photo: Photo) -> AnnotationResult:
        start = perf_counter()
        image = decode(photo.data)
        area = clip_crop(photo.crop, whole(image))
        decoded = perf_counter()
        height, width = image.shape[:2]
        if min(area.width, area.height) < MIN_SIDE:
            return AnnotationResult(width, height, self.model, (), "too-small")
        seen = self._stages.see(image, area if photo.crop else None)
        answered = perf_counter()
        # The first is what the photo is about: the largest, and of equal ones the surest.
        seen.sort(key=lambda s: (-s.box.width * s.box.height, -s.confidence))
        garments = tuple(
            self._describe(image, one, primary=number == 0) for number, one in enumerate(seen)
        )
        done = perf_counter()
        return AnnotationResult(
            width=width,
            height=height,
            model=self.model,
            garments=garments,
            abstained=None if garments else "no-garment",
            timings_ms={
                "decode": round((decoded - start) * 1000, 2),
                "classify": round((answered - decoded) * 1000, 2),
                "colours": round((done - answered) * 1000, 2),
            },
            original=write_original(seen),
        )

    def _describe(self, image: Pixels, seen: Seen, *, primary: bool) -> Garment:
        box = seen.box
        shown = image[box.top : box.bottom, box.left : box.right]
        view = look(image, box, None, size=(224, 224)).whole if min(shown.shape[:2]) > 1 else None
        category = translate_classes(seen.classes)
        return Garment(
            object=seen.object or load_taxonomy().category(category.name).object_type,
            confidence=round(seen.confidence, 4),
            primary=primary,
            box=box,
            category=category,
            attributes=tuple(translate_labels(seen)),
            colours=name_colours(
                view.cloth.pixels if view else shown.reshape(-1, 3), self._palette
            ),
        )


def load(
    choice: str,
    *,
    store: Path,
    device: str = "",
    open_network: Callable[[WeightsSpec], nn.Module] | None = None,
) -> EtryonPipeline:
    """Raises UnknownModel, BadWeights."""
    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return EtryonPipeline(Stages(choice, store=store, device=chosen, open_network=open_network))


def translate_classes(probabilities: dict[str, float]) -> Category:
    """The classes as kalas-1's categories."""
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])[: 1 + _SHOWN]
    first, *rest = [Alternative(mallzee.to_kalas(name), round(p, 4)) for name, p in ranked]
    return Category(first.name, first.confidence, tuple(rest))


def translate_labels(seen: Seen) -> Iterator[Label]:
    """What was said, in kalas-1's words; a style that such a garment cannot have is not said."""
    for key, word in seen.said.items():
        value = mallzee.word_to_kalas(key, word, seen.name)
        if value:
            yield Label(key, value, round(seen.labels[key][word], 4))


def write_original(seen: Sequence[Seen]) -> dict[str, dict[str, float]]:
    """In the models' own words: the objects, the first garment's classes and labels."""
    if not seen:
        return {}
    counts: Counter[str] = Counter()
    objects = {}
    for one in seen:
        counts[str(one.object)] += 1
        objects[f"{one.object} {counts[str(one.object)]}"] = round(one.confidence, 8)
    first = seen[0]
    labels = {f"{key}: {w}": p for key, words in first.labels.items() for w, p in words.items()}
    return {
        "objects": objects,
        "categories": {name: round(p, 8) for name, p in first.classes.items()},
        "attributes": {name: round(p, 8) for name, p in labels.items()},
    }
