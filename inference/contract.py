"""What crosses the process line between the engine and its callers.

Imports neither torch nor Django, so that the web process and the engine share it.
Boxes are source pixels after EXIF orientation, right and bottom exclusive.
"""

from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

ObjectType = Literal["upper-body", "lower-body", "full-body", "footwear", "accessory"]
AbstainReason = Literal["no-garment", "too-small", "unreadable"]
EngineState = Literal["starting", "ready", "draining"]

DETAIL_SIZE = 256
MOST_DETAILS = 128
"""Of one garment."""

MIN_SIDE = 32
"""Below it a photo or crop shows too little to name a garment; the abstention says so."""


class InvalidImage(ValueError):
    """The bytes are no photo that Kalas reads; `code` is stable, `detail` is for a person."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Box:
    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right and 0 <= self.top < self.bottom):
            raise ValueError(
                f"A box needs 0 <= left < right and 0 <= top < bottom, got {self.as_tuple()}."
            )

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    def as_tuple(self) -> tuple[int, int, int, int]:
        return self.left, self.top, self.right, self.bottom


@dataclass(frozen=True, slots=True)
class Alternative:
    """A category and its calibrated probability (0 to 1)."""

    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Category:
    name: str
    confidence: float
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class Label:
    """An attribute key and value, e.g. pattern: striped."""

    key: str
    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Colour:
    """A named colour, its mean as #rrggbb and its share (0 to 1) of the garment's pixels."""

    name: str
    hex: str
    share: float


@dataclass(frozen=True, slots=True)
class Garment:
    object: ObjectType
    confidence: float
    primary: bool
    box: Box
    category: Category
    attributes: tuple[Label, ...] = ()
    colours: tuple[Colour, ...] = ()
    embedding: tuple[float, ...] = ()
    """L2-normalised, at most 256 numbers."""


@dataclass(frozen=True, slots=True)
class ModelName:
    name: str
    version: str
    taxonomy: str


@dataclass(frozen=True, slots=True)
class AnnotationResult:
    """The engine's answer for one photo: garments, or the reason why there are none."""

    width: int
    height: int
    model: ModelName
    garments: tuple[Garment, ...] = ()
    abstained: AbstainReason | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
    original: dict[str, dict[str, float]] = field(default_factory=dict)
    """What an ancestor's model said in its own words: kind → name → number."""
    alternatives: tuple[Alternative, ...] = ()
    """Where no garment was seen: what it may be nevertheless, the likeliest first."""

    def to_json(self) -> dict[str, Any]:
        # `asdict` copies each number by itself, which for embeddings takes longer than all else
        # that the engine does beside computing.
        bare = replace(self, garments=tuple(replace(g, embedding=()) for g in self.garments))
        data = asdict(bare)
        for told, garment in zip(data["garments"], self.garments, strict=True):
            told["embedding"] = garment.embedding
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Rebuild a result from `to_json()`; raises KeyError, TypeError or ValueError."""
        return cls(
            width=data["width"],
            height=data["height"],
            model=ModelName(**data["model"]),
            garments=tuple(_garment(g) for g in data["garments"]),
            abstained=data["abstained"],
            timings_ms=dict(data["timings_ms"]),
            original=dict(data.get("original", {})),
            alternatives=tuple(Alternative(**a) for a in data.get("alternatives", ())),
        )


@dataclass(frozen=True, slots=True)
class Vectors:
    """Garments of one type, as a recommender sees them."""

    kind: str
    data: bytes
    """float32, little-endian, one garment after the other."""

    def to_json(self) -> list[str]:
        return [self.kind, b64encode(self.data).decode()]

    @classmethod
    def from_json(cls, value: list[str]) -> Self:
        kind, packed = value
        return cls(str(kind), b64decode(packed, validate=True))


@dataclass(frozen=True, slots=True)
class GarmentDetails:
    """A garment's key points: where they are, and what each looks like."""

    model: str
    """Whose descriptors these are; those of two models are never compared."""
    region: Literal["parts", "foreground"]
    """What told the garment: a Mask R-CNN's parts, or all that is before the ground."""
    places: tuple[tuple[int, int], ...]
    """Source pixels: x, y."""
    vectors: bytes
    """DETAIL_SIZE signed bytes for each place; the lengths say nothing."""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "vectors": b64encode(self.vectors).decode()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError."""
        vectors = b64decode(data["vectors"], validate=True)
        places = tuple((int(x), int(y)) for x, y in data["places"])
        if len(places) > MOST_DETAILS or len(vectors) != len(places) * DETAIL_SIZE:
            raise ValueError("The descriptors do not belong to the places.")
        return cls(data["model"], data["region"], places, vectors)


@dataclass(frozen=True, slots=True)
class OtherModel:
    """One that the engine answers by when it is asked for; it is loaded then."""

    choice: str
    kind: Literal["family", "landmarks", "outfits"]
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """How the engine is: `waiting` of `capacity` places in its queue are taken."""

    state: EngineState
    device: str
    model: ModelName | None
    waiting: int
    capacity: int
    done: int
    uptime_s: float
    runtime: str = ""
    """The library that computes, and why it is not the preferred one if it is not."""
    others: tuple[OtherModel, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        model = data["model"]
        others = tuple(OtherModel(**other) for other in data.get("others", ()))
        return cls(**{**data, "model": ModelName(**model) if model else None, "others": others})


def _garment(data: dict[str, Any]) -> Garment:
    category = data["category"]
    return Garment(
        object=data["object"],
        confidence=data["confidence"],
        primary=data["primary"],
        box=Box(**data["box"]),
        category=Category(
            name=category["name"],
            confidence=category["confidence"],
            alternatives=tuple(Alternative(**a) for a in category["alternatives"]),
        ),
        attributes=tuple(Label(**a) for a in data["attributes"]),
        colours=tuple(Colour(**c) for c in data["colours"]),
        embedding=tuple(data["embedding"]),
    )
