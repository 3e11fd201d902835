"""What the API answers. Members that this version does not know are left out."""

from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels of the photo; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Image:
    id: str
    name: str
    url: str
    width: int
    height: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelName:
    name: str
    version: str
    taxonomy: str


@dataclass(frozen=True, slots=True)
class Alternative:
    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Category:
    """`origin` is model, human or store."""

    name: str
    confidence: float
    alternatives: tuple[Alternative, ...] = ()
    origin: str = "model"


@dataclass(frozen=True, slots=True)
class Attribute:
    key: str
    name: str
    confidence: float
    origin: str


@dataclass(frozen=True, slots=True)
class Colour:
    """`share` of the garment's pixels, 0 to 1."""

    name: str
    hex: str
    share: float


@dataclass(frozen=True, slots=True)
class Garment:
    id: str
    object: str
    confidence: float
    primary: bool
    box: Box
    category: Category
    attributes: tuple[Attribute, ...]
    colours: tuple[Colour, ...]


@dataclass(frozen=True, slots=True)
class Annotation:
    """`state` is pending, done, abstained or failed."""

    id: str
    state: str
    needs_review: bool
    created_at: datetime
    image: Image
    garments: tuple[Garment, ...]
    finished_at: datetime | None = None
    crop: Box | None = None
    hint: str | None = None
    product: str | None = None
    model: ModelName | None = None
    abstained: str | None = None
    alternatives: tuple[Alternative, ...] = ()
    """Where no garment was seen: what it may be nevertheless, the likeliest first."""
    error: str | None = None
    version: int = 0
    """Counts what people said; send it with a review."""

    @property
    def is_pending(self) -> bool:
        return self.state == "pending"


@dataclass(frozen=True, slots=True)
class BatchProgress:
    pending: int
    done: int
    abstained: int
    failed: int


@dataclass(frozen=True, slots=True)
class BatchItem:
    position: int
    state: str
    image_url: str | None = None
    product: str | None = None
    annotation: str | None = None
    problem: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    id: str
    state: str
    total: int
    progress: BatchProgress
    created_at: datetime
    finished_at: datetime | None = None
    items: tuple[BatchItem, ...] = ()


def build(kind: type[T], data: Any) -> T:
    """An object of this class from the API's JSON."""
    return _build(kind, data)  # type: ignore[no-any-return]


def _build(kind: Any, data: Any) -> Any:
    if get_origin(kind) is UnionType:
        kind = next(each for each in get_args(kind) if each is not type(None))
        return None if data is None else _build(kind, data)
    if get_origin(kind) is tuple:
        return tuple(_build(get_args(kind)[0], each) for each in data)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        known = {each.name for each in fields(kind)} & set(data)
        return kind(**{name: _build(hints[name], data[name]) for name in known})
    if kind is datetime:
        return datetime.fromisoformat(data)
    return data


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
