"""A photo's way through the engine: decode, find the garments, name their colours, classify them.

Imports no torch: the networks come as a `runtime.Model`.
"""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from inference import runtime
from inference.classifying import Classifier, Entire
from inference.colours import Palette
from inference.conclusions import Abstention, Said, conclude
from inference.contract import (
    MIN_SIDE,
    AbstainReason,
    AnnotationResult,
    Box,
    Garment,
    InvalidImage,
    ModelName,
)
from inference.detection import fit
from inference.finding import Finder, Fitted
from inference.meanwhile import Meanwhile
from inference.postprocess import Reader
from inference.preprocess import Pixels, decode, whole
from inference.request import NoWords, Outcome, Photo
from inference.runtime import Model
from inference.scenes import Scene, Sight, look
from inference.spelling import normalise
from inference.taxonomy import load as load_taxonomy
from inference.words import encode_words

logger = logging.getLogger(__name__)

_DARK, _LIT = 20, 0.01
"""Of 255, and a share: a photo shows nothing where less of it is as bright as that."""
_FOUND_TOGETHER = 16
"""Photos that the finder sees at once on CUDA. On a CPU that gains nothing, and one photo after
the other only one photo's pixels are held."""


@dataclass(frozen=True, slots=True)
class _Decoded:
    photo: Photo
    image: Pixels
    area: Box
    fitted: Fitted | None
    """What the finder is shown first, if there is one."""
    entire: Meanwhile[Entire] | None
    """What is said of the area, where somebody else sees to that already."""
    timings: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Shown:
    scene: Scene
    entire: Pixels | Meanwhile[Entire]
    """What the classifier is shown of the area, or says of it."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A photo on its way to the classifier; its decoded pixels are gone by then."""

    photo: Photo
    width: int
    height: int
    shown: _Shown | Abstention
    """What can be classified, or why nothing can."""
    timings: dict[str, float]


class Pipeline:
    """Answers batches of photos; safe to call from several threads at once."""

    def __init__(
        self, model: Model, *, decoders: Executor | None = None, helpers: Executor | None = None
    ) -> None:
        """`decoders` prepare a batch's photos side by side; without, the calling thread does. Idle
        `helpers`, which may be the callers' threads, take a part of what a single photo asks."""
        self.device = model.device
        self.runtime = model.runtime
        self.model = ModelName(model.spec.name, model.spec.version, model.spec.taxonomy)
        self._networks = model
        self._size = model.spec.input_size
        self._finder = (
            Finder(model.finder, looks_twice=model.finder_mirrored) if model.finder else None
        )
        self._reader = Reader(model.spec, load_taxonomy())
        self._classifier = Classifier(model, self._reader)
        self._palette = Palette.of(load_taxonomy().colours)
        self._map = decoders.map if decoders else map
        self._helpers = helpers
        self._together = 1 if model.device == "cpu" else _FOUND_TOGETHER

    def annotate(self, photos: Sequence[Photo]) -> list[Outcome]:
        """One outcome a photo, in order: a result, or the exception that concerns it alone."""
        helpers = self._helpers if len(photos) == 1 else None
        seen = [
            one
            for start in range(0, len(photos), self._together)
            for one in self._see_all(photos[start : start + self._together], helpers)
        ]
        shown = [s.shown for s in seen if isinstance(s, _Seen) and isinstance(s.shown, _Shown)]
        start = perf_counter()
        answers = iter(self._classify_all(shown, helpers))
        spent = (perf_counter() - start) * 1000
        outcomes: list[Outcome] = []
        for one in seen:
            if isinstance(one, Exception):
                outcomes.append(one)
            elif isinstance(one.shown, Abstention):
                outcomes.append(self._result(one, one.shown))
            else:
                one.timings["classify"] = spent
                outcomes.append(self._try_to_conclude(one, one.shown.scene, next(answers)))
        return outcomes

    def embed_texts(self, texts: Sequence[str]) -> list[list[float]]:
        """One L2-normalised vector a text, in the space of the garments' embeddings.

        Raises NoWords where the model knows none.
        """
        if self._networks.words is None:
            raise NoWords(f"{self._networks.spec.choice} does not read words.")
        spelled = [normalise(text) or text for text in texts]
        [vectors] = self._networks.words(*encode_words(spelled))
        return [[round(x, 6) for x in vector.tolist()] for vector in vectors]

    def warm_up(self, batch: int) -> None:
        """Pay for lazy initialisation, so that the first photo need not."""
        ramp = np.linspace(0, 255, 96 * 72, dtype=np.uint8).reshape(96, 72)
        photo = Photo(cv2.imencode(".jpg", cv2.merge([ramp, ramp[::-1], ramp]))[1].tobytes())
        for size in {1, batch}:
            self.annotate([photo] * size)
        if self._networks.words:
            self.embed_texts(["red dress"])

    def _see_all(
        self, photos: Sequence[Photo], helpers: Executor | None
    ) -> Iterator[_Seen | Exception]:
        decoded = list(self._map(partial(self._try_to_decode, helpers=helpers), photos))
        usable = [d for d in decoded if isinstance(d, _Decoded)]
        scenes = iter(self._map(self._try_to_see, usable, self._find_all(usable)))
        for d in decoded:
            yield next(scenes) if isinstance(d, _Decoded) else d

    def _find_all(self, photos: Sequence[_Decoded]) -> Sequence[Sight | None]:
        fitted = [photo.fitted for photo in photos if photo.fitted]
        if self._finder is None or not fitted:
            return [None] * len(photos)

        def fit_closely(chosen: Sequence[int]) -> Sequence[Fitted]:
            return list(self._map(lambda i: fit(photos[i].image, photos[i].area), chosen))

        start = perf_counter()
        sights = self._finder.find(fitted, fit_closely)
        for photo in photos:
            photo.timings["detect"] = (perf_counter() - start) * 1000
        return sights

    def _try_to_decode(
        self, photo: Photo, *, helpers: Executor | None
    ) -> _Decoded | _Seen | Exception:
        try:
            return self._decode(photo, helpers)
        except InvalidImage as error:
            return error
        except Exception as error:  # one photo fails alone, whatever it does
            logger.exception("A photo of %d bytes could not be decoded", len(photo.data))
            return error

    def _decode(self, photo: Photo, helpers: Executor | None) -> _Decoded | _Seen:
        timings: dict[str, float] = {}
        with _timed(timings, "decode"):
            image = decode(photo.data)
        area = clip_crop(photo.crop, whole(image))
        reason: AbstainReason | None = None
        if min(area.width, area.height) < MIN_SIDE:
            reason = "too-small"
        elif _is_dark(image, area):
            reason = "unreadable"
        if reason:
            return _Seen(photo, image.shape[1], image.shape[0], Abstention(reason), timings)
        look, show = self._classifier.look, self._classifier.show
        # First, as this takes as long as the finder does.
        entire = Meanwhile(helpers, lambda: look([show(image, area)])[0]) if helpers else None
        fitted = self._finder.fit(image, area) if self._finder else None
        return _Decoded(photo, image, area, fitted, entire, timings)

    def _try_to_see(self, decoded: _Decoded, sight: Sight | None) -> _Seen | Exception:
        image, timings = decoded.image, decoded.timings
        try:
            with _timed(timings, "detect"):
                shown = _Shown(
                    look(image, decoded.area, sight, size=self._size),
                    decoded.entire or self._classifier.show(image, decoded.area),
                )
        except Exception as error:  # one photo fails alone, whatever it does
            logger.exception("A photo of %d bytes could not be seen", len(decoded.photo.data))
            return error
        return _Seen(decoded.photo, image.shape[1], image.shape[0], shown, timings)

    def _classify_all(self, shown: Sequence[_Shown], helpers: Executor | None) -> list[list[Said]]:
        areas = [one.entire for one in shown if not isinstance(one.entire, Meanwhile)]
        now = iter(self._classifier.look(areas))
        entire = [
            one.entire.result() if isinstance(one.entire, Meanwhile) else next(now) for one in shown
        ]
        scenes = [one.scene for one in shown]
        shades = Meanwhile(helpers, lambda: _find_shades(scenes)) if helpers else None
        said = self._classifier.complete(scenes, entire, helpers)
        if shades:
            shades.end()
        return said

    def _try_to_conclude(self, seen: _Seen, scene: Scene, said: Sequence[Said]) -> Outcome:
        try:
            with _timed(seen.timings, "colours"):
                concluded = conclude(
                    scene,
                    said,
                    hint=seen.photo.hint,
                    reader=self._reader,
                    palette=self._palette,
                )
        except Exception as error:  # one photo fails alone, whatever it does
            logger.exception("A photo of %d bytes could not be named", len(seen.photo.data))
            return error
        return self._result(seen, concluded)

    def _result(self, seen: _Seen, concluded: tuple[Garment, ...] | Abstention) -> AnnotationResult:
        result = AnnotationResult(
            width=seen.width,
            height=seen.height,
            model=self.model,
            timings_ms={name: round(ms, 2) for name, ms in seen.timings.items()},
        )
        if isinstance(concluded, Abstention):
            reason, alternatives = concluded.reason, concluded.alternatives
            return replace(result, abstained=reason, alternatives=alternatives)
        return replace(result, garments=concluded)


def load(
    choice: str,
    *,
    device: str = "",
    cache: Path | None = None,
    decoders: Executor | None = None,
    helpers: Executor | None = None,
) -> Pipeline:
    """`cache` is the folder of exported networks; without one torch computes.

    Raises UnknownModel, BadWeights.
    """
    model = runtime.open_model(choice, device=device, cache=cache)
    return Pipeline(model, decoders=decoders, helpers=helpers)


def use_one_core() -> None:
    """For a worker thread on a CPU: many of them side by side beat many cores in each operation."""
    cv2.setNumThreads(1)
    runtime.use_one_core()


def clip_crop(crop: Box | None, photo: Box) -> Box:
    """The part of the crop that lies in the photo. Raises InvalidImage where there is none."""
    if crop is None:
        return photo
    if crop.left >= photo.right or crop.top >= photo.bottom:
        raise InvalidImage(
            "crop-outside",
            f"The crop {','.join(map(str, crop.as_tuple()))} lies outside the photo, "
            f"which has {photo.right} × {photo.bottom} pixels.",
        )
    return Box(crop.left, crop.top, min(crop.right, photo.right), min(crop.bottom, photo.bottom))


def _find_shades(scenes: Sequence[Scene]) -> None:
    for scene in scenes:
        for view in scene.views:
            view.cloth.find_shades()


def _is_dark(image: Pixels, area: Box) -> bool:
    step = max(1, max(area.width, area.height) // 96)
    sample = image[area.top : area.bottom : step, area.left : area.right : step]
    return int(np.count_nonzero(sample >= _DARK)) < _LIT * sample.size


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = perf_counter()
    yield
    timings[stage] = timings.get(stage, 0.0) + (perf_counter() - start) * 1000
