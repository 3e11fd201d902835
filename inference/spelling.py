"""One spelling for each English word of the trade, in product names and in searches alike."""

import re
from collections.abc import Mapping
from functools import cache

Phrases = Mapping[tuple[str, ...], str]

# Endings and spellings of one word. What stands here is a matter of writing, not of taste.
_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "t-shirt": ("tshirt", "tshirts", "t-shirts", "t shirt", "t shirts", "tee", "tees", "tee shirt"),
    "striped": ("stripe", "stripes", "striper"),
    "checked": ("check", "checks", "checkered", "chequered", "checker"),
    "printed": ("print", "prints"),
    "graphic": ("graphics",),
    "washed": ("wash",),
    "men": ("men's", "mens", "man", "man's"),
    "women": ("women's", "womens", "woman", "woman's", "ladies"),
    "girls": ("girl", "girl's", "girls'"),
    "boys": ("boy", "boy's", "boys'"),
    "kids": ("kid", "kid's", "kidswear"),
    "teen": ("teens", "teen's"),
    "infant": ("infants",),
    "grey": ("gray",),
    "gold": ("golden", "gold-toned"),
    "silver": ("silver-toned", "sliver"),
    "multi": (
        "multicoloured", "multicolored", "multicolour", "multicolor", "multi-coloured",
        "multi coloured", "multi colored", "multi colour", "multi color",
    ),
    "colour": ("coloured", "colored", "color"),
    "cream": ("cream-coloured", "cream coloured"),
    "v-neck": ("v neck", "vneck"),
    "round neck": ("round-neck", "crew neck", "crew-neck"),
    "polka dot": ("polka", "polka dots", "polka dotted"),
    "top": ("tops",),
    "shirt": ("shirts",),
    "jacket": ("jackets",),
    "sweater": ("sweaters",),
    "sweatshirt": ("sweatshirts", "hoody", "hoodie"),
    "vest": ("vests",),
    "saree": ("sari", "saris", "sarees"),
    "kurta": ("kurtas",),
    "kurti": ("kurtis",),
    "tunic": ("tunics",),
    "dress": ("dresses",),
    "skirt": ("skirts",),
    "suit": ("suits",),
    "jeans": ("jean",),
    "trousers": ("trouser", "pant", "pants"),
    "track trousers": ("track pant", "track pants"),
    "short sleeve": ("short sleeves", "short sleeved"),
    "capris": ("capri",),
    "jeggings": ("jegging",),
    "leggings": ("legging",),
    "briefs": ("brief",),
    "trunks": ("trunk",),
    "boxers": ("boxer",),
    "bra": ("bras",),
    "shoes": ("shoe",),
    "flip flops": ("flip flop", "flip-flop", "flip-flops", "flipflops"),
    "slippers": ("slipper",),
    "sandals": ("sandal",),
    "floaters": ("floater",),
    "heels": ("heel",),
    "wedges": ("wedge",),
    "ballerinas": ("ballerina",),
    "sneakers": ("sneaker",),
    "loafers": ("loafer",),
    "boots": ("boot",),
    "socks": ("sock",),
    "watch": ("watches",),
    "analog": ("analogue",),
    "sunglasses": ("sunglass",),
    "handbag": ("handbags", "hand bag", "hand bags"),
    "bag": ("bags",),
    "backpack": ("backpacks", "back pack"),
    "duffle": ("duffel",),
    "clutch": ("clutches",),
    "wallet": ("wallets",),
    "belt": ("belts",),
    "cap": ("caps",),
    "hat": ("hats",),
    "tie": ("ties",),
    "scarf": ("scarves", "scarfs"),
    "stole": ("stoles",),
    "earrings": ("earring",),
    "bangle": ("bangles",),
    "bracelet": ("bracelets",),
    "ring": ("rings",),
    "necklace": ("necklaces",),
    "pendant": ("pendants",),
    "cufflinks": ("cufflink",),
}  # fmt: skip

_PACKS = re.compile(r"\b(?:pack|set|combo) of \d+\b")
_WORDS = re.compile(r"3/4(?:th)?|[^\W_]+(?:['./+-][^\W_]+)*'?")
_STOP_WORDS = frozenset(
    {"an", "and", "as", "assorted", "by", "collection", "for", "her", "him", "his", "in", "is",
     "new", "of", "on", "or", "the", "to", "with"}
)  # fmt: skip


def normalise(text: str) -> str:
    """A name or a search in the words that the text encoder learned: "tees" are a "t-shirt".

    No model numbers, one word for one thing, each once; nothing of a text that has no other words.
    """
    lowered = text.replace("İ", "i").replace("’", "'").lower()
    words = _WORDS.findall(_PACKS.sub(" ", lowered))
    plain = [word for word in words if word.startswith("3/4") or not any(c.isdigit() for c in word)]
    respelled = " ".join(replace_phrases(plain, _spellings())).split()
    kept = (word for word in respelled if len(word) > 1 and word not in _STOP_WORDS)
    return " ".join(dict.fromkeys(word.removesuffix("'s").strip("'") for word in kept))


def replace_phrases(words: list[str], phrases: Phrases) -> list[str]:
    """Each longest phrase → what stands for it, the rest as it is."""
    longest = max(map(len, phrases))
    replaced: list[str] = []
    place = 0
    while place < len(words):
        for length in range(min(longest, len(words) - place), 0, -1):
            phrase = tuple(words[place : place + length])
            if phrase in phrases:
                replaced.append(phrases[phrase])
                place += length
                break
        else:
            replaced.append(words[place])
            place += 1
    return replaced


@cache
def _spellings() -> Phrases:
    return {
        tuple(variant.split()): word
        for word, variants in _SPELLINGS.items()
        for variant in variants
    }
