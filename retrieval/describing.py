"""The words by which people ask for what was seen on a product's photos."""

from collections.abc import Iterable

from inference import taxonomy

LANGUAGES = ("en", "tr")


def describe(
    *,
    object_type: str,
    category: str,
    colours: Iterable[str],
    attributes: Iterable[tuple[str, str]],
) -> str:
    """All words by which people ask for what was seen on a product's photos."""
    known = taxonomy.load()
    families = {colour.name: colour.family for colour in known.colours}
    names: list[tuple[taxonomy.Kind, str]] = [
        ("object", object_type),
        ("category", category),
        *(("colour", name) for name in colours),
        *(("family", families[name]) for name in colours if name in families),
        *(("value", f"{key}:{name}") for key, name in attributes),
    ]
    found: dict[str, None] = {}
    for kind, name in names:
        for language in LANGUAGES:
            found.update(dict.fromkeys(_words(kind, name, language)))
    return "; ".join(found)


def _words(kind: taxonomy.Kind, name: str, language: str) -> tuple[str, ...]:
    if not name:
        return ()
    try:
        return taxonomy.words(kind, name, language)
    except taxonomy.UnknownLabel:  # of an older taxonomy
        return (name.partition(":")[2] or name,)
