"""How a shop puts "Find similar" on its pages, with a product of the demo shop to try it on."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from annotations.models import DemoShop
from retrieval import catalogue, demo_widget, thumbnails
from retrieval.models import Product


@require_safe
def show_widget_docs(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    token = demo_widget.find_token(now=now)
    product = _find_product(request.GET.get("product", "")) if token else None
    cover_id = catalogue.find_covers([product.id]).get(product.id) if product else None
    context = {
        "token": token,
        "product": product,
        "cover": thumbnails.build_path(cover_id, now=now) if cover_id else None,
    }
    return render(request, "retrieval/widget_docs.html", context)


def _find_product(external_id: str) -> Product | None:
    """The demo shop's of this id, else its first that Kalas knows something of."""
    shops = DemoShop.objects.filter(removed_at=None).values("tenant")
    products = Product.objects.filter(tenant__in=shops).exclude(garment=None)
    wanted = products.filter(external_id=external_id[:200].replace("\0", "")).first()
    return wanted or products.order_by("external_id").first()
