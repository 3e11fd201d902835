"""Where the garments are: from the finder's maps to boxes, masks and the garment that matters."""

from typing import Literal

from inference.contract import ObjectType

Detail = Literal[
    "outer",
    "top",
    "lower",
    "full",
    "footwear",
    "bag",
    "headwear",
    "eyewear",
    "belt",
    "scarf",
    "legwear",
    "jewellery",
]
"""What the finder tells apart; a shirt under a coat are two garments of one object type."""

OBJECTS: dict[Detail, ObjectType] = {
    "outer": "upper-body",
    "top": "upper-body",
    "lower": "lower-body",
    "full": "full-body",
    "footwear": "footwear",
    "bag": "accessory",
    "headwear": "accessory",
    "eyewear": "accessory",
    "belt": "accessory",
    "scarf": "accessory",
    "legwear": "accessory",
    "jewellery": "accessory",
}
