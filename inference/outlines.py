"""Which places of a found garment's box show the garment: the finder's third map, cut out."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from inference.contract import Box
from inference.detection import DETAILS, SEGMENTS, STRIDE, SURE, Detail, Floats, Found, Frame
from inference.preprocess import Pixels

SIDE = 96
"""Places of a mask along its box's longer side: more than the finder sees, however large the
photo is."""


def outline(found: Sequence[Found], segments: Floats, *, frame: Frame) -> list[Found]:
    """The garments of one photo with their masks. `segments` as FinderMaps has them."""
    sure = {garment.detail for garment in found if garment.confidence >= SURE}
    return [_outline(garment, segments, sure, frame) for garment in found]


def _outline(garment: Found, segments: Floats, sure: set[Detail], frame: Frame) -> Found:
    shares = _share_out(segments, {*sure, garment.detail})
    of_garment, of_body = (
        _mask(shares[SEGMENTS.index(name)], garment.box, frame) for name in (garment.detail, "body")
    )
    return replace(garment, mask=of_garment, body=of_body)


def _share_out(segments: Floats, details: set[Detail]) -> Pixels:
    """(segments, h, w), 0 to 255: softmax over ground, body and the details that were found.

    A pixel may waver between coat, cardigan and dress; once one of them was found, it is that.
    """
    possible = [0, 1, *(2 + i for i, detail in enumerate(DETAILS) if detail in details)]
    logits = segments[possible]
    grown = np.exp(logits - logits.max(axis=0))
    shares = np.zeros(segments.shape, dtype=np.uint8)
    shares[possible] = grown / grown.sum(axis=0) * 255 + 0.5
    return shares


def _mask(share: Pixels, box: Box, frame: Frame) -> Pixels:
    """The map's part over the box, at most SIDE places long."""
    shrink = min(1.0, SIDE / max(box.width, box.height))
    width, height = max(1, round(box.width * shrink)), max(1, round(box.height * shrink))
    step = frame.scale / STRIDE
    wide, high = box.width / width * step, box.height / height * step
    # A place of the mask and one of the map both have their centres at a half.
    x = (box.left - frame.left) * step + wide / 2 - 0.5
    y = (box.top - frame.top) * step + high / 2 - 0.5
    return np.asarray(
        cv2.warpAffine(
            share,
            np.array([[wide, 0, x], [0, high, y]]),
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        dtype=np.uint8,
    )
