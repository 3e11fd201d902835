"""What the core and a platform tell each other. Names, not ids: ids are the platform's affair."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol, Self


@dataclass(frozen=True, slots=True)
class RemoteImage:
    id: str
    url: str
    alt: str = ""


@dataclass(frozen=True, slots=True)
class RemoteAttribute:
    """`is_fixed`: it makes the product's variations, or is otherwise none of our business."""

    name: str
    options: tuple[str, ...]
    is_fixed: bool = False


@dataclass(frozen=True, slots=True)
class RemoteProduct:
    """A product as the store has it now. `is_public` is False for drafts, `is_there` for trash."""

    id: str
    title: str = ""
    description: str = ""
    url: str = ""
    price: str = ""
    stock: str = ""
    is_public: bool = True
    is_there: bool = True
    # Of a variation, which is no product of its own.
    parent_id: str = ""
    images: tuple[RemoteImage, ...] = ()
    tags: tuple[str, ...] = ()
    # Without the store's placeholder for products that have none.
    categories: tuple[str, ...] = ()
    attributes: tuple[RemoteAttribute, ...] = ()
    modified_at: str = ""
    # Which of our writes was the last one, as it says itself.
    marker: str = ""

    def __post_init__(self) -> None:
        """The address becomes a link; stores may say anything."""
        if not self.url.lower().startswith(("https://", "http://")):
            object.__setattr__(self, "url", "")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        known = {each.name: data[each.name] for each in fields(cls) if each.name in data}
        known["images"] = tuple(RemoteImage(**each) for each in data["images"])
        known["attributes"] = tuple(
            RemoteAttribute(each["name"], tuple(each["options"]), each["is_fixed"])
            for each in data["attributes"]
        )
        known["tags"], known["categories"] = tuple(data["tags"]), tuple(data["categories"])
        return cls(**known)

    @property
    def amount(self) -> Decimal | None:
        try:
            amount = Decimal(self.price) if self.price else None
        except ArithmeticError:
            return None
        is_usable = amount is not None and amount.is_finite() and 0 <= amount < 10**10
        return amount if is_usable else None


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """Set the attribute to these options; no options take it away."""

    key: str
    name: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What to make of a product; whatever is not named stays as it is."""

    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    add_categories: tuple[str, ...] = ()
    remove_categories: tuple[str, ...] = ()
    attributes: tuple[AttributeChange, ...] = ()
    # Image id → text.
    alts: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        lists = ("add_tags", "remove_tags", "add_categories", "remove_categories")
        return cls(
            **{name: tuple(data.get(name, ())) for name in lists},
            attributes=tuple(
                AttributeChange(each["key"], each["name"], tuple(each["options"]))
                for each in data.get("attributes", ())
            ),
            alts=dict(data.get("alts", {})),
        )


@dataclass(frozen=True, slots=True)
class Applied:
    """What a write found, did and left; `change` is empty where nothing was to do."""

    before: RemoteProduct
    after: RemoteProduct
    change: Change


@dataclass(frozen=True, slots=True)
class Page:
    """Of a store's products; `cursor` is that of the next one, empty after the last."""

    products: tuple[RemoteProduct, ...]
    cursor: str = ""
    total: int | None = None
    store_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Shop:
    """What a store says of itself."""

    name: str = ""
    currency: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Webhook:
    id: str
    topic: str
    status: str = "active"


HintKind = Literal[
    "ping", "changed", "deleted", "ignored", "no-rights", "uninstalled", "redact", "bad"
]


@dataclass(frozen=True, slots=True)
class Hint:
    """What a message of a store is about. `identity` says which messages are the same."""

    kind: HintKind
    topic: str = ""
    product_id: str = ""
    identity: str = ""
    about: str = ""
    # Where the message itself is the product, as of custom integrations.
    product: RemoteProduct | None = None


class BadSignature(Exception):
    """The message is not from the store."""


# What to change, from what is there at the moment of writing.
Plan = Callable[[RemoteProduct], Change]
# Told just before a write: what is there, and what is about to be changed.
BeforeWrite = Callable[[RemoteProduct, Change], None]


class Terms(Protocol):
    """The ids that the store's terms are known by here."""

    def find(self, kind: str, name: str, *, parent: str = "") -> str: ...

    def keep(self, kind: str, name: str, remote_id: str, *, parent: str = "") -> None: ...

    def forget(self, kind: str, names: Iterable[str], *, parent: str = "") -> None: ...


class Connection(Protocol):
    """One store, asked with its credentials. Everything raises failures.StoreFailed."""

    def check(self) -> Shop:
        """Whether it can be read and written: makes and removes a tag."""

    def fetch_product(self, product_id: str) -> RemoteProduct | None:
        """None where it is gone for good."""

    def list_products(self, *, cursor: str = "", modified_after: datetime | None = None) -> Page:
        """In the order of their ids; without those in the trash."""

    def list_ids(self) -> set[str]:
        """Of all products, drafts too."""

    def list_categories(self) -> Sequence[str]: ...

    def apply(
        self,
        product_id: str,
        plan: Plan,
        *,
        marker: str,
        create_categories: bool,
        before_write: BeforeWrite,
    ) -> Applied:
        """Read, plan, compare, write, check. Safe to call again after any failure: the marker goes
        into the store with the change, so that one whose answer was lost is known again."""

    def ensure_webhooks(self, *, url: str) -> list[Webhook]:
        """One of each topic; those that are switched off are made anew."""

    def list_webhooks(self, *, url: str) -> list[Webhook]: ...

    def remove_webhooks(self, *, url: str) -> None: ...
