"""What differs between two states of an annotation, value by value."""

from typing import Any

from annotations.reviewing.snapshots import GarmentState, Snapshot


def list_changes(before: Snapshot, after: Snapshot) -> list[dict[str, Any]]:
    """For each change: garment, its category, key, from, to, and the origin and confidence of what
    was there."""
    old = {garment["id"]: garment for garment in before["garments"]}
    new = {garment["id"]: garment for garment in after["garments"]}
    changes: list[dict[str, Any]] = []
    if (before["state"], before["abstained"]) != (after["state"], after["abstained"]):
        changes.append(_say("", "", "answer", _name_state(before), _name_state(after)))
    for garment_id, garment in old.items():
        if garment_id in new:
            changes += _compare(garment, new[garment_id])
        else:
            changes.append(
                _say(garment_id, garment["category"], "garment", garment["category"], None)
                | _origin_of_category(garment)
            )
    for garment_id, garment in new.items():
        if garment_id not in old:
            name = garment["category"]
            changes.append(_say(garment_id, name, "garment", None, name))
            nothing = dict.fromkeys(x["key"] for x in garment["labels"])
            changes += [_say(garment_id, name, key, None, _value(garment, key)) for key in nothing]
    return changes


def _compare(old: GarmentState, new: GarmentState) -> list[dict[str, Any]]:
    garment_id, category = old["id"], old["category"]
    changes = []
    if new["category"] != category:
        changes.append(
            _say(garment_id, category, "category", category, new["category"])
            | _origin_of_category(old)
        )
    # An object that comes with another category is no news.
    parts = ("box", "primary") if changes else ("object", "box", "primary")
    changes += [
        _say(garment_id, category, key, old[key], new[key])  # type: ignore[literal-required]
        for key in parts
        if old[key] != new[key]  # type: ignore[literal-required]
    ]
    keys = dict.fromkeys(label["key"] for label in (*old["labels"], *new["labels"]))
    for key in keys:
        before, after = _value(old, key), _value(new, key)
        if before != after:
            changes.append(
                _say(garment_id, category, key, before, after) | _origin_of_label(old, key)
            )
    colours = [[colour["name"] for colour in each["colours"]] for each in (old, new)]
    if colours[0] != colours[1]:
        changes.append(_say(garment_id, category, "colours", *colours))
    return changes


def _say(garment: str, category: str, key: str, before: Any, after: Any) -> dict[str, Any]:
    return {"garment": garment, "category": category, "key": key, "from": before, "to": after}


def _name_state(snapshot: Snapshot) -> str:
    return snapshot["abstained"] or snapshot["state"]


def _value(garment: GarmentState, key: str) -> str | None:
    return next((label["name"] for label in garment["labels"] if label["key"] == key), None)


def _origin_of_category(garment: GarmentState) -> dict[str, Any]:
    return {"origin": garment["category_origin"], "confidence": garment["category_confidence"]}


def _origin_of_label(garment: GarmentState, key: str) -> dict[str, Any]:
    for label in garment["labels"]:
        if label["key"] == key:
            return {"origin": label["origin"], "confidence": label["confidence"]}
    return {}
