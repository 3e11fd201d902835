"""What to change in a product of a store, and what a person changed since. Pure functions.

The rule of all of them: what somebody else wrote stays. `written` tells what is ours.
"""

import hashlib
import html
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self
from unicodedata import combining, normalize

from integrations.stores.contract import AttributeChange, Change, RemoteAttribute, RemoteProduct


@dataclass(frozen=True, slots=True)
class Words:
    """Of one attribute: its name and values in the shop's words, and the labels they stand for."""

    key: str
    name: str
    options: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a product should carry, in the shop's words; tags and category with their labels."""

    tags: Mapping[str, str] = field(default_factory=dict)
    category: str = ""
    category_label: str = ""
    attributes: tuple[Words, ...] = ()
    alts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """What Kalas wrote into a product: words and the labels they stand for."""

    tags: Mapping[str, str] = field(default_factory=dict)
    category: str = ""
    category_label: str = ""
    attributes: Mapping[str, Words] = field(default_factory=dict)
    alts: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        attributes = {
            key: Words(key, each["name"], tuple(each["options"]), tuple(each["labels"]))
            for key, each in data.get("attributes", {}).items()
        }
        return cls(**{**data, "attributes": attributes})


@dataclass(frozen=True, slots=True)
class Edit:
    """A person changed in the store what Kalas had written: `slot` is theirs from now on.

    `labels` are those of what was there, `words` what is there instead.
    """

    slot: str
    labels: tuple[str, ...]
    words: tuple[str, ...]


def fold(name: str) -> str:
    """As stores compare names: `&amp;` is `&`, case, accents and outer blanks don't count."""
    text = " ".join(html.unescape(name).split()).casefold().replace("\u0131", "i")
    return "".join(each for each in normalize("NFKD", text) if not combining(each))


def fingerprint(remote: RemoteProduct) -> str:
    """Of what an annotation depends on."""
    inputs = [remote.title, remote.description, [[each.id, each.url] for each in remote.images]]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def plan_change(
    remote: RemoteProduct,
    wanted: Wanted,
    *,
    written: Written,
    taken_over: Collection[str] = (),
    append_only: bool = True,
) -> Change:
    """What is to be added, and unless `append_only` which words of ours are out of date."""
    category, old_categories = _plan_category(remote, wanted, written, taken_over, append_only)
    return Change(
        add_tags=_plan_tags(remote, wanted, written, taken_over),
        remove_tags=() if append_only else _find_stale_tags(remote, wanted, written, taken_over),
        add_categories=category,
        remove_categories=old_categories,
        attributes=tuple(
            AttributeChange(each.key, each.name, each.options)
            for each in wanted.attributes
            if f"attribute:{each.key}" not in taken_over
            and _may_set(remote, each, written, append_only)
        ),
        alts={
            image.id: text
            for image in remote.images
            if (text := wanted.alts.get(image.id)) and f"alt:{image.id}" not in taken_over
            if text != image.alt
            and _is_ours(image.alt, written.alts.get(image.id), may_replace=not append_only)
        },
    )


def plan_undo(remote: RemoteProduct, *, change: Change, before: RemoteProduct) -> Change:
    """Take back what a change did, where nobody has changed it since."""
    tags = {fold(tag): tag for tag in remote.tags}
    categories = {fold(each): each for each in remote.categories}
    return Change(
        add_tags=tuple(tag for tag in change.remove_tags if fold(tag) not in tags),
        remove_tags=tuple(tags[fold(tag)] for tag in change.add_tags if fold(tag) in tags),
        add_categories=tuple(
            each for each in change.remove_categories if fold(each) not in categories
        ),
        remove_categories=tuple(
            categories[fold(each)] for each in change.add_categories if fold(each) in categories
        ),
        attributes=tuple(
            AttributeChange(each.key, each.name, _options_of(before, each.name))
            for each in change.attributes
            if _same(_options_of(remote, each.name), each.options)
        ),
        alts={
            image.id: _alt_of(before, image.id)
            for image in remote.images
            if image.id in change.alts and image.alt == change.alts[image.id]
        },
    )


def keep_what_holds(change: Change, remote: RemoteProduct) -> Change:
    """Of a change, what can be seen in the product."""
    tags, categories = set(map(fold, remote.tags)), set(map(fold, remote.categories))
    alts = {image.id: image.alt for image in remote.images}
    return Change(
        add_tags=tuple(each for each in change.add_tags if fold(each) in tags),
        remove_tags=tuple(each for each in change.remove_tags if fold(each) not in tags),
        add_categories=tuple(each for each in change.add_categories if fold(each) in categories),
        remove_categories=tuple(
            each for each in change.remove_categories if fold(each) not in categories
        ),
        attributes=tuple(
            each
            for each in change.attributes
            if _same(_options_of(remote, each.name), each.options)
        ),
        alts={key: text for key, text in change.alts.items() if alts.get(key) == text.strip()},
    )


def find_missing(change: Change, remote: RemoteProduct) -> list[str]:
    """The words of a change that can't be seen in the product."""
    kept = keep_what_holds(change, remote)
    missing = [
        *(set(change.add_tags) - set(kept.add_tags)),
        *(set(change.add_categories) - set(kept.add_categories)),
        *(each.name for each in change.attributes if each not in kept.attributes),
        *(text for key, text in change.alts.items() if key not in kept.alts),
    ]
    return sorted(missing)


def unite(first: Change, second: Change) -> Change:
    """Two changes, one after the other, as one."""

    def both(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*one, *other]))

    attributes = {each.key: each for each in (*first.attributes, *second.attributes)}
    return Change(
        add_tags=both(first.add_tags, second.add_tags),
        remove_tags=both(first.remove_tags, second.remove_tags),
        add_categories=both(first.add_categories, second.add_categories),
        remove_categories=both(first.remove_categories, second.remove_categories),
        attributes=tuple(attributes.values()),
        alts={**first.alts, **second.alts},
    )


def note_written(written: Written, *, change: Change, wanted: Wanted) -> Written:
    """What is ours after a change."""
    labels = {fold(tag): label for tag, label in wanted.tags.items()}
    removed = set(map(fold, change.remove_tags))
    tags = {tag: label for tag, label in written.tags.items() if fold(tag) not in removed}
    tags |= {tag: labels.get(fold(tag), "") for tag in change.add_tags}
    by_key = {each.key: each for each in wanted.attributes}
    attributes = dict(written.attributes)
    attributes |= {
        each.key: Words(
            each.key,
            each.name,
            each.options,
            by_key[each.key].labels if each.key in by_key else (),
        )
        for each in change.attributes
    }
    has_category = bool(change.add_categories)
    return replace(
        written,
        tags=tags,
        category=change.add_categories[0] if has_category else written.category,
        category_label=wanted.category_label if has_category else written.category_label,
        attributes=attributes,
        alts={**written.alts, **change.alts},
    )


def forget_written(written: Written, *, change: Change) -> Written:
    """What is ours after a change was undone."""
    tags = set(map(fold, change.add_tags))
    keys = {each.key for each in change.attributes}
    has_category = fold(written.category) in set(map(fold, change.add_categories))
    return replace(
        written,
        tags={tag: label for tag, label in written.tags.items() if fold(tag) not in tags},
        category="" if has_category else written.category,
        category_label="" if has_category else written.category_label,
        attributes={k: each for k, each in written.attributes.items() if k not in keys},
        alts={key: text for key, text in written.alts.items() if key not in change.alts},
    )


def find_edits(remote: RemoteProduct, written: Written) -> list[Edit]:
    """What a person took away or replaced of what Kalas wrote."""
    tags = set(map(fold, remote.tags))
    edits = [
        Edit(f"tag:{fold(tag)}", (label,) if label else (), ())
        for tag, label in written.tags.items()
        if fold(tag) not in tags
    ]
    if written.category and fold(written.category) not in set(map(fold, remote.categories)):
        edits.append(Edit("category", (written.category_label,), remote.categories))
    for key, words in written.attributes.items():
        options = _options_of(remote, words.name)
        if not _same(options, words.options):
            edits.append(Edit(f"attribute:{key}", words.labels, options))
    edits += [
        Edit(f"alt:{image.id}", (), (image.alt,))
        for image in remote.images
        if image.id in written.alts and image.alt != written.alts[image.id].strip()
    ]
    return edits


def give_up(written: Written, edits: Sequence[Edit]) -> Written:
    """What is still ours after a person's edits."""
    slots = {edit.slot for edit in edits}
    return replace(
        written,
        tags={tag: label for tag, label in written.tags.items() if f"tag:{fold(tag)}" not in slots},
        category="" if "category" in slots else written.category,
        category_label="" if "category" in slots else written.category_label,
        attributes={
            key: each for key, each in written.attributes.items() if f"attribute:{key}" not in slots
        },
        alts={key: each for key, each in written.alts.items() if f"alt:{key}" not in slots},
    )


def find_attribute(remote: RemoteProduct, name: str) -> RemoteAttribute | None:
    return next((each for each in remote.attributes if fold(each.name) == fold(name)), None)


def _plan_tags(
    remote: RemoteProduct, wanted: Wanted, written: Written, taken_over: Collection[str]
) -> tuple[str, ...]:
    """Those that are missing; one that Kalas wrote before was taken away by somebody."""
    have = {fold(tag) for tag in (*remote.tags, *written.tags)}
    return tuple(
        tag for tag in wanted.tags if fold(tag) not in have and f"tag:{fold(tag)}" not in taken_over
    )


def _find_stale_tags(
    remote: RemoteProduct, wanted: Wanted, written: Written, taken_over: Collection[str]
) -> tuple[str, ...]:
    ours = {fold(tag) for tag in written.tags} - {fold(tag) for tag in wanted.tags}
    return tuple(
        tag for tag in remote.tags if fold(tag) in ours and f"tag:{fold(tag)}" not in taken_over
    )


def _plan_category(
    remote: RemoteProduct,
    wanted: Wanted,
    written: Written,
    taken_over: Collection[str],
    append_only: bool,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not wanted.category or "category" in taken_over:
        return (), ()
    if not remote.categories:
        return ((), ()) if written.category else ((wanted.category,), ())
    is_ours = len(remote.categories) == 1 and _same(remote.categories, [written.category])
    if append_only or not is_ours or fold(wanted.category) == fold(written.category):
        return (), ()
    return (wanted.category,), remote.categories


def _may_set(remote: RemoteProduct, words: Words, written: Written, append_only: bool) -> bool:
    there, ours = find_attribute(remote, words.name), written.attributes.get(words.key)
    if there is None or not there.options:
        return ours is None and not (there and there.is_fixed)
    if there.is_fixed or ours is None or append_only:
        return False
    return _same(there.options, ours.options) and not _same(there.options, words.options)


def _is_ours(alt: str, ours: str | None, *, may_replace: bool) -> bool:
    return ours is None if not alt else may_replace and alt == ours


def _options_of(remote: RemoteProduct, name: str) -> tuple[str, ...]:
    found = find_attribute(remote, name)
    return found.options if found else ()


def _alt_of(remote: RemoteProduct, image_id: str) -> str:
    return next((image.alt for image in remote.images if image.id == image_id), "")


def _same(one: Iterable[str], other: Iterable[str]) -> bool:
    return {fold(each) for each in one} == {fold(each) for each in other}
