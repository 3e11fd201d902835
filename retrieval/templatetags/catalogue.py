from decimal import Decimal
from typing import Any

from django import template
from django.utils.formats import number_format
from django.utils.translation import get_language

from accounts.models import Tenant
from inference import taxonomy
from retrieval.auditing.advice import FAULTS
from retrieval.auditing.texts import TITLES
from retrieval.charts import draw_chart, list_tests
from retrieval.models import Product

register = template.Library()


@register.inclusion_tag("retrieval/_search_test.html")
def search_test(tenant: Tenant) -> dict[str, Any]:
    """How well the shop's search finds, by its last self-test and those before."""
    newest = list_tests(tenant=tenant)
    return {"test": newest[0] if newest else None, "chart": draw_chart(newest)}


@register.filter
def price(product: Product) -> str:
    """1,299.90 TRY as it is written in the page's language; nothing without a price."""
    if product.price is None:
        return ""
    number = number_format(Decimal(product.price), decimal_pos=2, force_grouping=True)
    return f"{number} {product.currency}".strip()


@register.filter
def colour_hex(name: str) -> str:
    """Of a colour's name, for a swatch; grey for one that the taxonomy no longer has."""
    known = {colour.name: colour.hex for colour in taxonomy.load().colours}
    return known.get(name, "#808080")


@register.filter
def attribute_title(key: str) -> str:
    return taxonomy.load().title("attribute", key, get_language() or "en")


@register.filter
def value_title(name: str, key: str) -> str:
    return taxonomy.load().title("value", f"{key}:{name}", get_language() or "en")


@register.filter
def advice_titles(codes: list[str]) -> list[str]:
    """Of the photos' faults: what is only missing is said on the product's own page."""
    return [str(TITLES[code]) for code in FAULTS if code in codes]
