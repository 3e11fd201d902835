"""Photos with their boxes, for the admin's pages."""

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from annotations.models import FashionImage, Garment
from annotations.templatetags.annotations import category_title


def draw_thumbnail(image: FashionImage) -> SafeString:
    return format_html(
        '<img src="{}" alt="" height="64" loading="lazy">', reverse("thumbnail", args=[image.id])
    )


def draw_photo(
    image: FashionImage, *, garments: list[Garment], height: int = 420, name: str = "photo"
) -> SafeString:
    """The photo with boxes, as one SVG: the admin's pages have no module for them. `name` is of
    the address of the file."""
    boxes = format_html_join(
        "",
        '<g class="box object-{}"><rect x="{}" y="{}" width="{}" height="{}"/>'
        "<title>{}</title></g>",
        (
            (g.object_type, g.left, g.top, g.box.width, g.box.height, category_title(g.category))
            for g in garments
        ),
    )
    return format_html(
        '<svg viewBox="0 0 {} {}" height="{}" role="img" aria-label="{}">'
        '<image href="{}" width="{}" height="{}"/>{}</svg>',
        image.width,
        image.height,
        height,
        image.name,
        reverse(name, args=[image.id]),
        image.width,
        image.height,
        boxes,
    )
