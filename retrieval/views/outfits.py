from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.decorators import tenant_required
from accounts.http import TenantRequest
from inference import client
from retrieval.models import Product
from retrieval.services import outfits

TITLES = {
    "tops": _("Tops"),
    "bottoms": _("Trousers and skirts"),
    "all-body": _("Dresses"),
    "outerwear": _("Jackets"),
    "shoes": _("Shoes"),
    "bags": _("Bags"),
    "hats": _("Hats"),
    "scarves": _("Scarves"),
    "jewellery": _("Jewellery"),
    "sunglasses": _("Glasses"),
    "accessories": _("Accessories"),
}


@require_safe
@tenant_required
def show_matching(request: TenantRequest, product_id: UUID) -> HttpResponse:
    """Without a recommender it says what to get, and how."""
    product = get_object_or_404(Product.objects.for_tenant(request.tenant), id=product_id)
    context: dict[str, object] = {"product": product}
    try:
        found = outfits.find_matching(tenant=request.tenant, product=product)
    except outfits.NoRecommender:
        context["no_recommender"] = True
    except (client.Unavailable, client.Overloaded, ValueError):
        context["away"] = True
    else:
        context |= {
            "waiting": found.waiting,
            "groups": [(TITLES[group.kind], group.products) for group in found.groups],
        }
    return render(request, "retrieval/outfits.html", context)
