"""The demo shop's own few products."""

from datetime import datetime

from annotations.models import DemoShop, FashionImage
from retrieval.models import Product
from retrieval.services import photos, products

PREFIX = "DEMO-"


def is_left_over(product: Product) -> bool:
    """A demo product goes with its photo."""
    return (
        product.external_id.startswith(PREFIX)
        and DemoShop.objects.filter(tenant_id=product.tenant_id).exists()
        and not product.photos.exists()
    )


def add_demo_products(*, now: datetime) -> int:
    """One for each of the demo shop's photos, once; return how many there are new.

    Nothing happens where the shop has products, or its demo photos were removed.
    """
    shop = DemoShop.objects.select_related("tenant").filter(removed_at=None).first()
    if shop is None or Product.objects.for_tenant(shop.tenant).exists():
        return 0
    images = list(FashionImage.objects.for_tenant(shop.tenant).demo().order_by("name"))
    numbers: dict[str, int] = {}
    for image in images:
        # clothing-t-shirt-075a38a7.jpg, outfit-0035.jpg
        kind = image.name.removeprefix("clothing-").rpartition("-")[0].replace("-", " ")
        numbers[kind] = numbers.get(kind, 0) + 1
        product = products.create_product(
            tenant=shop.tenant,
            external_id=f"{PREFIX}{image.name.rpartition('.')[0]}",
            values={"title": f"{kind.capitalize()} {numbers[kind]}"},
            now=now,
        )
        photos.link_image(tenant=shop.tenant, product_id=product.id, image_id=image.id, now=now)
    return len(images)
