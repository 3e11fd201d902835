"""The catalogue: browsed, and one product with its photos."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.decorators import tenant_required
from accounts.http import TenantRequest
from annotations.models import Annotation
from retrieval import catalogue
from retrieval.auditing.texts import say
from retrieval.forms import CatalogueForm, ProductForm
from retrieval.models import Product
from retrieval.services import audits, products

PAGE = 48


@require_safe
@tenant_required
def show_catalogue(request: TenantRequest) -> HttpResponse:
    """For htmx only the part below the filters."""
    form = CatalogueForm(request.GET, tenant=request.tenant)
    wanted = form.as_filter()
    found = catalogue.filter_products(tenant=request.tenant, **wanted)
    whole = catalogue.filter_products(tenant=request.tenant, **{**wanted, "state": ""})
    counts = catalogue.count_states(whole)
    states = [("", _("All")), *Product.State.choices]
    pages = Paginator(catalogue.with_covers(found), PAGE)
    context = {
        "form": form,
        "page_obj": pages.get_page(request.GET.get("page")),
        "tabs": [(state, label, counts[state]) for state, label in states],
        "state": wanted["state"],
        "as_list": form.cleaned_data.get("view") == "list",
        "filtered": form.is_filtering,
    }
    is_part = "HX-Request" in request.headers and "HX-Boosted" not in request.headers
    name = "retrieval/_products.html" if is_part else "retrieval/catalogue.html"
    response = render(request, name, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_safe
@tenant_required
def show_product(request: TenantRequest, product_id: UUID) -> HttpResponse:
    product = _get_product(request, product_id)
    photos = catalogue.list_photos(product=product)
    best = next((each for each in photos if each.photo.verdict == "best"), None)
    told = audits.audit(
        [each.photo for each in photos],
        {each.annotation.image_id: each.annotation for each in photos if each.annotation},
        object_type=product.object_type,
        measures=audits.read_measures(
            each.photo.image_id for each in photos if each.photo.image_id
        ),
    )
    for report in told.photos:
        photos[report.photo.number - 1].report = report
    return render(
        request,
        "retrieval/product.html",
        {
            "product": product,
            "photos": photos,
            "best": best or next((each for each in photos if each.annotation), None),
            "faults": [say(each, object_type=product.object_type) for each in told.faults],
            "gaps": [say(each, object_type=product.object_type) for each in told.gaps],
            "twins": catalogue.list_twins(product=product),
            "waits": any(
                each.photo.state == "waiting"
                or (each.annotation and each.annotation.state == Annotation.State.PENDING)
                for each in photos
            ),
            "max_bytes": settings.UPLOAD_MAX_BYTES,
            "upload_url": reverse("add_photos", args=[product.id]),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_required
def add_product(request: TenantRequest) -> HttpResponse:
    form = ProductForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        values = dict(form.cleaned_data)
        try:
            product = products.create_product(
                tenant=request.tenant,
                external_id=values.pop("external_id"),
                values=values,
                now=timezone.now(),
            )
        except products.IdTaken:
            form.add_error("external_id", _("Another product has this id."))
        else:
            messages.success(request, _("The product was added. Now add its photos."))
            return redirect("product", product.id)
    return _render_form(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_required
def edit_product(request: TenantRequest, product_id: UUID) -> HttpResponse:
    product = _get_product(request, product_id)
    form = ProductForm.of(product, request.POST if request.method == "POST" else None)
    if form.is_valid():
        values = dict(form.cleaned_data)
        try:
            products.change_product(
                tenant=request.tenant,
                product_id=product.id,
                external_id=values.pop("external_id"),
                values=values,
                now=timezone.now(),
            )
        except Product.DoesNotExist as error:
            raise Http404 from error
        except products.IdTaken:
            form.add_error("external_id", _("Another product has this id."))
        else:
            messages.success(request, _("The product was changed."))
            return redirect("product", product.id)
    return _render_form(request, form, product)


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_required
def delete_product(request: TenantRequest, product_id: UUID) -> HttpResponse:
    """Asks first."""
    product = _get_product(request, product_id)
    if request.method != "POST":
        context = {"products": [product], "action": request.path, "back": product}
        return render(request, "retrieval/delete_products.html", context)
    products.delete_products(tenant=request.tenant, product_ids=[product.id])
    messages.success(request, _("%s was deleted.") % product.name)
    return redirect("catalogue")


@require_POST
@tenant_required
def change_products(request: TenantRequest) -> HttpResponse:
    """What is done with the chosen ones of a page; deleting asks first."""
    chosen = list(
        Product.objects.for_tenant(request.tenant).filter(id__in=_read_ids(request))[:PAGE]
    )
    back = f"{reverse('catalogue')}?{request.POST.get('query', '')[:2000]}"
    action = request.POST.get("action")
    if not chosen:
        messages.info(request, _("Choose products first."))
    elif action == "delete" and "sure" not in request.POST:
        context = {"products": chosen, "action": request.path, "query": request.POST.get("query")}
        return render(request, "retrieval/delete_products.html", context)
    else:
        messages.success(request, _change(request, str(action), [p.id for p in chosen]))
    return redirect(back)


def _change(request: TenantRequest, action: str, ids: list[UUID]) -> str:
    """Do it and say it in words. Raises Http404 for an action that does not exist."""
    if action == "delete":
        number = products.delete_products(tenant=request.tenant, product_ids=ids)
        return ngettext("%d product was deleted.", "%d products were deleted.", number) % number
    if action == "publish":
        number = products.publish_products(
            tenant=request.tenant, product_ids=ids, now=timezone.now()
        )
        return (
            ngettext(
                "%d product is marked as published.", "%d products are marked as published.", number
            )
            % number
        )
    if action == "again":
        number = products.annotate_products_again(
            tenant=request.tenant,
            product_ids=ids,
            requested_by=request.user,
            now=timezone.now(),
        )
        return (
            ngettext("%d photo is annotated again.", "%d photos are annotated again.", number)
            % number
        )
    raise Http404


def _get_product(request: TenantRequest, product_id: UUID) -> Product:
    """Raises Http404, also for another shop's."""
    mine = Product.objects.for_tenant(request.tenant).select_related("garment")
    try:
        return mine.prefetch_related("garment__labels", "garment__colours").get(id=product_id)
    except Product.DoesNotExist as error:
        raise Http404 from error


def _read_ids(request: TenantRequest) -> list[UUID]:
    found = []
    for text in request.POST.getlist("product"):
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


def _render_form(
    request: TenantRequest, form: ProductForm, product: Product | None
) -> HttpResponse:
    status = 422 if form.errors else 200
    context = {"form": form, "product": product}
    return render(request, "retrieval/product_form.html", context, status=status)
