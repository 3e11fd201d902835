"""A perceptual hash: copies of a photo that were resized, re-encoded or mirrored nearly share it.
So do photos of different things in the same pose: their edges tell them apart.

The signs of the 8 × 8 lowest frequencies of the photo's brightness (64 bits), as in Zauner,
"Implementation and Benchmarking of Perceptual Image Hash Functions" (2010).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import combinations
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# The measured limit: docs/decisions/0017-near-duplicates-by-hash.md.
NEAR_BITS = 8
SIDE = 32
KEPT = 8
# Of the photo's brightness that is kept, and the correlation of edges that copies have at least.
GRID = 16
LEAST_ALIKE = 0.95
_QUARTER_BITS = 16
# The bits of the odd horizontal waves: each byte is a row of eight, the first wave in front.
_ODD_WAVES = 0xAAAA_AAAA_AAAA_AAAA
# Of two values that differ in at most 11 bits, some quarter differs in at most 2.
_QUARTER_REACH = 2


@dataclass(frozen=True, slots=True)
class Hashes:
    """Of the photo as it is and of its mirror image; signed, as PostgreSQL's bigint."""

    value: int
    mirrored: int
    brightness: bytes
    """Of `GRID` × `GRID` parts, row by row."""

    @classmethod
    def of(cls, value: int, brightness: bytes) -> Self:
        """Of a photo whose own hash is known: in the mirror image the odd horizontal waves point
        the other way."""
        return cls(value, value ^ MIRROR, brightness)


def hash_photo(data: bytes) -> Hashes:
    """`data`: an encoded photo that we wrote ourselves, such as a thumbnail."""
    with Image.open(BytesIO(data)) as image:
        image.draft("L", image.size)  # of a JPEG only the brightness is decoded
        grey = image.convert("L")
    small, grid = (grey.resize((n, n), Image.Resampling.BOX) for n in (SIDE, GRID))
    frequencies = _COSINES @ np.asarray(small, dtype=np.float64) @ _COSINES.T
    return Hashes.of(_to_bits(frequencies), grid.tobytes())


def have_same_edges(first: bytes, second: bytes, *, mirrored: bool) -> bool:
    """Whether two photos' kept brightness rises and falls at the same places."""
    a, b = _find_edges(first, mirrored=mirrored), _find_edges(second, mirrored=False)
    return bool(a @ b >= LEAST_ALIKE * np.sqrt((a @ a) * (b @ b)))


def split(value: int) -> tuple[int, int, int, int]:
    """The value's quarters, 16 bits each, as they are indexed."""
    mask = (1 << _QUARTER_BITS) - 1
    first, second, third, fourth = ((value >> (_QUARTER_BITS * i)) & mask for i in range(4))
    return first, second, third, fourth


def list_near(quarter: int) -> list[int]:
    """The 137 quarters that differ from this one in at most two bits."""
    return [quarter ^ flipped for flipped in _FLIPS]


def count_different_bits(first: int, second: int) -> int:
    return ((first ^ second) & (2**64 - 1)).bit_count()


def _to_signed(bits: int) -> int:
    bits &= 2**64 - 1
    return bits - 2**64 if bits >> 63 else bits


def _build_cosines() -> NDArray[np.float64]:
    """The waves 1 to 8 over `SIDE` samples: the mean brightness (wave 0) is left out."""
    waves = np.arange(1, KEPT + 1)[:, None]
    samples = np.arange(SIDE)[None, :]
    return np.cos(np.pi * waves * (2 * samples + 1) / (2 * SIDE))


def _find_edges(brightness: bytes, *, mirrored: bool) -> NDArray[np.float64]:
    grid = np.frombuffer(brightness, dtype=np.uint8).reshape(GRID, GRID).astype(np.float64)
    if mirrored:
        grid = grid[:, ::-1]
    return np.concatenate([np.diff(grid, axis=axis).ravel() for axis in (0, 1)])


def _to_bits(frequencies: NDArray[np.float64]) -> int:
    bits = np.packbits(frequencies.ravel() > 0)
    return int.from_bytes(bits.tobytes(), "big", signed=True)


def _list_flips() -> Iterator[int]:
    for reach in range(_QUARTER_REACH + 1):
        for bits in combinations(range(_QUARTER_BITS), reach):
            yield sum(1 << bit for bit in bits)


# Of the bits that differ in a mirror image's hash.
MIRROR = _to_signed(_ODD_WAVES)
_COSINES = _build_cosines()
_FLIPS = tuple(_list_flips())
