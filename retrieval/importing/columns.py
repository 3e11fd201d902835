"""Which field of a product a column fills, guessed from its name as shops call it."""

import re
import unicodedata
from collections.abc import Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

FIELDS: dict[str, str | Promise] = {
    "external_id": _("Product id"),
    "title": _("Title"),
    "description": _("Description"),
    "url": _("Address in the shop"),
    "price": _("Price"),
    "currency": _("Currency"),
    "stock": _("Stock"),
    "listed": _("Shown in the shop"),
    "images": _("Photos"),
}
# Several columns may hold photos; of all else there is one.
MANY = {"images"}

# Of exports of shops in English and Turkish, folded; the first that is found wins.
_NAMES: dict[str, tuple[str, ...]] = {
    "external_id": (
        "external id", "product id", "id", "sku", "stock code", "handle", "variant sku", "code",
        "item group id", "urun no", "urun id", "urun kodu", "stok kodu", "model kodu", "barkod",
        "barcode",
    ),
    "title": (
        "title", "product name", "name", "product title", "urun adi", "baslik", "urun basligi",
        "ad",
    ),
    "description": (
        "description", "body html", "body", "product description", "short description", "aciklama",
        "urun aciklamasi",
    ),
    "url": (
        "url", "link", "product url", "permalink", "address", "adres", "urun linki", "urun adresi",
        "baglanti",
    ),
    "price": (
        "price", "regular price", "variant price", "sale price", "satis fiyati", "fiyat",
        "liste fiyati",
    ),
    "currency": ("currency", "currency code", "para birimi", "doviz"),
    "stock": (
        "stock", "stock status", "availability", "in stock", "quantity", "inventory",
        "variant inventory qty", "stok", "stok durumu", "stok adedi", "stok miktari", "adet",
    ),
    "listed": (
        "listed", "published", "is published", "visible", "shown in the shop", "yayinda",
        "yayin durumu", "magazada gosterilir",
    ),
    "images": (
        "images", "image", "image link", "image url", "image src", "photo", "photos", "picture",
        "additional image link", "variant image", "gorsel", "gorseller", "resim", "resimler",
        "fotograf", "fotograflar",
    ),
}  # fmt: skip
_TURKISH = str.maketrans("ıİşŞğĞüÜöÖçÇ", "iIsSgGuUoOcC")


def guess_mapping(columns: Sequence[str]) -> list[str]:
    """Of each column the field it fills, or ""."""
    folded = [_fold(name) for name in columns]
    mapping = [""] * len(columns)
    for field, names in _NAMES.items():
        hits = [index for name in names for index, each in enumerate(folded) if each == name]
        if field in MANY:
            hits += [i for i, each in enumerate(folded) if re.sub(r" ?\d+$", "", each) in names]
            for index in hits:
                mapping[index] = field
        elif hits:
            mapping[hits[0]] = field
    return mapping


def check_mapping(mapping: Sequence[str]) -> str:
    """What is wrong with it, in words; nothing where it can be used."""
    if "external_id" not in mapping:
        return str(
            _("Say which column holds the product id: it tells new products from known ones.")
        )
    for field, title in FIELDS.items():
        if field not in MANY and mapping.count(field) > 1:
            return str(_("Only one column can fill “%s”.")) % title
    return ""


def _fold(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.translate(_TURKISH)).encode("ascii", "ignore")
    return re.sub(r"[^a-z0-9]+", " ", plain.decode().lower()).strip()
