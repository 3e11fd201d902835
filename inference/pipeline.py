"""A photo's way through the engine: decode, find the garment, name its colours, classify it."""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor

from inference import registry
from inference.colours import Palette, name_colours
from inference.contract import (
    AbstainReason,
    AnnotationResult,
    Box,
    Colour,
    Garment,
    InvalidImage,
    ModelName,
    ObjectType,
)
from inference.foreground import find_foreground
from inference.networks.garment_net import Answer, normalise
from inference.postprocess import Floats, restrict, to_garment
from inference.preprocess import Pixels, decode, resize_crop, whole
from inference.request import Outcome, Photo
from inference.specs import WeightsSpec
from inference.taxonomy import Taxonomy
from inference.taxonomy import load as load_taxonomy

logger = logging.getLogger(__name__)

MIN_SIDE = 32
"""Below it a photo or crop shows too little to name a garment; the abstention says so."""

_MARGIN = 0.05


class Network(Protocol):
    def __call__(self, images: Tensor, /) -> Answer: ...


@dataclass(frozen=True, slots=True)
class _View:
    """What the network is shown of a photo, and what is known of it without the network."""

    crop: Pixels
    box: Box
    box_confidence: float
    colours: tuple[Colour, ...]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A photo on its way to the network; its decoded pixels are gone by then."""

    width: int
    height: int
    hint: ObjectType | None
    view: _View | None
    """None where the photo or crop is too small."""
    timings: dict[str, float]


class Pipeline:
    """Answers batches of photos; safe to call from several threads at once."""

    def __init__(
        self,
        network: Network,
        spec: WeightsSpec,
        *,
        device: torch.device,
        decoders: Executor | None = None,
    ) -> None:
        """`decoders` prepare a batch's photos side by side; without, the calling thread does."""
        self.device = device
        self.model = ModelName(spec.name, spec.version, spec.taxonomy)
        self._network = network
        self._size = spec.input_size
        self._labels = spec.labels
        self._taxonomy: Taxonomy = load_taxonomy()
        self._palette = Palette.of(self._taxonomy.colours)
        self._decoders = decoders

    def annotate(self, photos: Sequence[Photo]) -> list[Outcome]:
        """One outcome a photo, in order: a result, or the exception that concerns it alone."""
        prepare = self._decoders.map if self._decoders else map
        prepared = list(prepare(self._try_to_prepare, photos))
        views = [p.view for p in prepared if isinstance(p, _Prepared) and p.view]
        start = perf_counter()
        answers = iter(self._run_network([view.crop for view in views]) if views else ())
        spent = (perf_counter() - start) * 1000
        outcomes: list[Outcome] = []
        for p in prepared:
            if isinstance(p, Exception):
                outcomes.append(p)
            elif p.view is None:
                outcomes.append(self._result(p, abstained="too-small"))
            else:
                p.timings["classify"] = spent
                garment = self._garment(p, p.view, *next(answers))
                outcomes.append(self._result(p, garment))
        return outcomes

    def warm_up(self, batch: int) -> None:
        """Pay for lazy initialisation, so that the first photo need not."""
        ramp = np.linspace(0, 255, 96 * 72, dtype=np.uint8).reshape(96, 72)
        photo = Photo(cv2.imencode(".jpg", cv2.merge([ramp, ramp[::-1], ramp]))[1].tobytes())
        for size in {1, batch}:
            self.annotate([photo] * size)

    def _try_to_prepare(self, photo: Photo) -> _Prepared | Exception:
        try:
            return self._prepare(photo)
        except InvalidImage as error:
            return error
        except Exception as error:  # one photo fails alone, whatever it does
            logger.exception("A photo of %d bytes could not be prepared", len(photo.data))
            return error

    def _prepare(self, photo: Photo) -> _Prepared:
        timings: dict[str, float] = {}
        with _timed(timings, "decode"):
            image = decode(photo.data)
        height, width = image.shape[:2]
        area = clip_crop(photo.crop, whole(image))
        view = None
        if min(area.width, area.height) >= MIN_SIDE:
            with _timed(timings, "detect"):
                found = find_foreground(image, area)
                crop = resize_crop(image, _with_margin(found.box, area), self._size)
            with _timed(timings, "colours"):
                colours = name_colours(found.pixels, self._palette)
            view = _View(crop, found.box, found.confidence, colours)
        return _Prepared(width, height, photo.hint, view, timings)

    @torch.inference_mode()
    def _run_network(self, crops: Sequence[Pixels]) -> list[tuple[Floats, Floats]]:
        """Probabilities (labels,) and embedding (256,) of each uint8 (height, width, 3) crop."""
        # Pixel by pixel is channels-last already: the permutation copies nothing.
        images = torch.from_numpy(np.stack(crops)).to(self.device).permute(0, 3, 1, 2)
        answer = self._network(normalise(images))
        probabilities = answer.category.float().softmax(dim=1).cpu().numpy()
        return list(zip(probabilities, answer.embedding.float().cpu().numpy(), strict=True))

    def _garment(
        self, prepared: _Prepared, view: _View, probabilities: Floats, embedding: Floats
    ) -> Garment | None:
        return to_garment(
            restrict(
                probabilities,
                hint=prepared.hint,
                labels=self._labels,
                taxonomy=self._taxonomy,
            ),
            labels=self._labels,
            taxonomy=self._taxonomy,
            box=view.box,
            box_confidence=view.box_confidence,
            colours=view.colours,
            embedding=embedding,
        )

    def _result(
        self,
        prepared: _Prepared,
        garment: Garment | None = None,
        abstained: AbstainReason = "no-garment",
    ) -> AnnotationResult:
        return AnnotationResult(
            width=prepared.width,
            height=prepared.height,
            model=self.model,
            garments=(garment,) if garment else (),
            abstained=None if garment else abstained,
            timings_ms={name: round(ms, 2) for name, ms in prepared.timings.items()},
        )


def load(model: str, *, device: torch.device, decoders: Executor | None = None) -> Pipeline:
    """Raises specs.UnknownModel, specs.BadWeights."""
    network = registry.build(model, device=device)
    return Pipeline(network, registry.spec(model), device=device, decoders=decoders)


def choose_device(name: str = "") -> torch.device:
    """The named device, else CUDA where there is one."""
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def use_one_core() -> None:
    """For a worker thread on a CPU: many of them side by side beat many cores in each operation."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


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


def _with_margin(box: Box, area: Box) -> Box:
    """A little of what is around the garment: its outline says more than its cloth."""
    x, y = round(box.width * _MARGIN), round(box.height * _MARGIN)
    return Box(
        left=max(area.left, box.left - x),
        top=max(area.top, box.top - y),
        right=min(area.right, box.right + x),
        bottom=min(area.bottom, box.bottom + y),
    )


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = perf_counter()
    yield
    timings[stage] = (perf_counter() - start) * 1000
