"""Finding products: like a photo, like another product, or by words."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.decorators import tenant_required
from accounts.http import TenantRequest
from annotations import looking, photos, services
from annotations.models import Annotation
from inference import client, taxonomy
from inference.contract import InvalidImage
from retrieval import catalogue, coverage, narrowing, similar, suggesting, wanting, words
from retrieval.details import Asked
from retrieval.facets import count_facets
from retrieval.filters import Filters
from retrieval.models import Product
from retrieval.search_forms import DetailsForm, FiltersForm, SearchPhotoForm, WordsForm
from retrieval.services import details

SHOWN = 24
MOST_SHOWN = 96
SHOWN_BESIDE = 8
PHOTO_TIMEOUT_S = 30.0
Look = Callable[[], Asked | None]
NO_DETAILS = gettext_lazy(
    "This installation has no weights that find details. Whoever runs it trains or imports them:"
    " see “Bring weights” in the documentation."
)


@require_safe
@tenant_required
def show_search(request: TenantRequest) -> HttpResponse:
    """For htmx only what was found."""
    filters = FiltersForm(request.GET, tenant=request.tenant)
    asked = WordsForm(request.GET)
    asked.is_valid()
    shown = _read_shown(request.GET)
    context = _find(request, asked.cleaned_data.get("q", ""), filters.as_filters(), shown)
    context |= {
        "words_form": asked,
        "filters_form": filters,
        "details_form": DetailsForm(request.GET),
        "photo_form": SearchPhotoForm(),
        "max_bytes": settings.UPLOAD_MAX_BYTES,
    }
    return _render(request, context)


@require_POST
@tenant_required
def search_photo(request: TenantRequest) -> HttpResponse:
    """Nothing of the photo is kept."""
    filters = FiltersForm(request.POST, tenant=request.tenant)
    form = SearchPhotoForm(request.POST, request.FILES)
    context: dict[str, Any] = {
        "words_form": WordsForm(),
        "filters_form": filters,
        "details_form": DetailsForm(request.POST),
        "photo_form": form,
        "max_bytes": settings.UPLOAD_MAX_BYTES,
    }
    if form.is_valid():
        context |= _find_like_photo(request, form.cleaned_data, filters.as_filters())
        context["form_of_more"] = "by-photo"
    else:
        context["problem"] = _("Choose a photo first.")
        for errors in form.errors.values():
            context["problem"] = errors[0]
    return _render(request, context, status=422 if "problem" in context else 200)


@require_safe
@tenant_required
def show_similar(request: TenantRequest, annotation_id: UUID) -> HttpResponse:
    """A fragment of the annotation's page."""
    annotation = _get_annotation(request, annotation_id)
    wanted = wanting.want_annotation(annotation)
    context = _find_like_annotation(request, annotation, wanted, Filters(), SHOWN_BESIDE)
    return render(
        request, "retrieval/_similar.html", {**context, "annotation": annotation, "wanted": wanted}
    )


@require_safe
@tenant_required
def suggest(request: TenantRequest) -> HttpResponse:
    """Options for a search box."""
    found = suggesting.suggest(
        tenant=request.tenant,
        text=request.GET.get("q", ""),
        language=get_language() or "en",
    )
    return render(request, "retrieval/_suggestions.html", {"suggestions": found})


def _find(request: TenantRequest, text: str, filters: Filters, shown: int) -> dict[str, Any]:
    """By the product or annotation that the address names, or else by words.

    Raises Http404 for another shop's.
    """
    if product_id := _read_id(request, "product"):
        try:
            product = Product.objects.for_tenant(request.tenant).get(id=product_id)
        except Product.DoesNotExist as error:
            raise Http404 from error
        product.cover_id = catalogue.find_covers([product.id]).get(product.id)  # type: ignore[attr-defined]
        return {"like_product": product, **_find_like_product(request, product, filters, shown)}
    if annotation_id := _read_id(request, "annotation"):
        annotation = _get_annotation(request, annotation_id)
        wanted = wanting.want_annotation(annotation)
        look = partial(details.ask_annotation, annotation, wanted.box if wanted else None)
        found = _find_like_annotation(request, annotation, wanted, filters, shown, look=look)
        return {"like_annotation": annotation, **found}
    if not text.strip():
        language = get_language() or "en"
        return {"examples": suggesting.suggest_examples(tenant=request.tenant, language=language)}
    return _find_words(request, text, filters, shown)


def _find_words(request: TenantRequest, text: str, filters: Filters, shown: int) -> dict[str, Any]:
    found = words.search(
        tenant=request.tenant,
        text=text,
        language=get_language() or "en",
        now=timezone.now(),
        filters=filters,
        limit=shown,
    )
    covers = catalogue.find_covers([product.id for product in found.products])
    for product in found.products:
        product.cover_id = covers.get(product.id)  # type: ignore[attr-defined]
    counts = words.count_found(found)
    return {
        "found": found,
        "groups": narrowing.list_groups(counts, filters),
        "more": _find_more(shown, found.total > shown),
        "understood": [_name(term, text) for term in found.reading.known],
    }


def _name(term: words.Term, text: str) -> tuple[str, str]:
    """What was written, and as what it was understood."""
    known, language = taxonomy.load(), get_language() or "en"
    titles = [known.title(sense.kind, sense.name, language) for sense in term.senses]
    written = {words.plain(word): taxonomy.lower(word, language) for word in text.split()}
    said = " ".join(written.get(word, word) for word in term.text.split())
    return said, ", ".join(dict.fromkeys(titles))


def _find_like_photo(
    request: TenantRequest, asked: Mapping[str, Any], filters: Filters
) -> dict[str, Any]:
    try:
        photo, result = looking.look_at(
            photos.read_upload(asked["photo"]),
            crop=asked["box"],
            family=request.tenant.model_family,
            timeout_s=PHOTO_TIMEOUT_S,
        )
    except (photos.PhotoRefused, InvalidImage) as error:
        return {"problem": error.detail}
    except services.CropRefused as error:
        return {"problem": str(error)}
    except (client.Overloaded, client.Unavailable):
        return {"problem": _("The engine is busy or away. Try again in a moment.")}
    shown, wanted = _read_shown(request.POST), wanting.want_found(result)
    if wanted is None and result.garments:
        return {"problem": _no_retriever(request, result.model.name)}
    if wanted is None:
        return {"matches": [], "no_garment": True}
    look = partial(details.ask_engine, photo.data, wanted.box)
    return _find_like(request, wanted, filters, shown, look)


def _find_like_product(
    request: TenantRequest, product: Product, filters: Filters, shown: int
) -> dict[str, Any]:
    wanted = wanting.want_product(product)
    if wanted is not None:
        look = partial(details.ask_product, product)
        return _find_like(request, wanted, filters, shown, look)
    reason = wanting.explain_none(product)
    if reason == "no-retriever":
        assert product.garment is not None  # noqa: S101 - it has no vector
        return {"problem": _no_retriever(request, product.garment.annotation.model_name)}
    return {"matches": [], "to_come" if reason == "not-indexed" else "no_garment": True}


def _find_like_annotation(
    request: TenantRequest,
    annotation: Annotation,
    wanted: wanting.Wanted | None,
    filters: Filters,
    shown: int,
    *,
    look: Look | None = None,
) -> dict[str, Any]:
    if wanted is not None:
        return _find_like(request, wanted, filters, shown, look)
    if annotation.garments.exists():
        return {"problem": _no_retriever(request, annotation.model_name)}
    return {"matches": [], "to_come" if annotation.is_pending else "no_garment": True}


def _no_retriever(request: TenantRequest, model: str) -> str:
    return _(
        "The model %(model)s names garments but cannot compare them, so nothing is found by a"
        " photo. Search by words; or choose a family with a retriever, or Kalas' own model, under"
        " Shop settings → Model, and let the photos be annotated again."
    ) % {"model": request.tenant.model_family or model}


def _find_like(
    request: TenantRequest,
    wanted: wanting.Wanted,
    filters: Filters,
    limit: int = SHOWN,
    look: Look | None = None,
) -> dict[str, Any]:
    """`look` finds the details of what is wanted, if the page asks for them."""
    asked_for = DetailsForm(request.POST or request.GET)
    try:
        asked = look() if look and asked_for.is_on else None
        matches = similar.find_similar(
            tenant=request.tenant, wanted=wanted, filters=filters, limit=limit, asked=asked
        )
    except similar.BeingBuilt as error:
        return {"problem": str(error)}
    except client.NoDetails:
        return {"problem": NO_DETAILS}
    except (client.Overloaded, client.Unavailable):
        return {"problem": _("The engine is busy or away. Try again in a moment.")}
    except (FileNotFoundError, InvalidImage):
        return {"problem": _("The photo cannot be read any more.")}
    found = Product.objects.filter(id__in=[match.product.id for match in matches])
    return {
        "matches": matches,
        "wanted": wanted,
        "coverage": coverage.find_coverage(tenant=request.tenant, model=wanted.model),
        "details_share": details.find_share(tenant=request.tenant, model=asked.model)
        if asked
        else 1.0,
        "groups": narrowing.list_groups(count_facets(found), filters),
        "more": _find_more(limit, len(matches) == limit),
    }


def _read_shown(asked: QueryDict) -> int:
    text = asked.get("shown", "")
    return min(max(int(text), SHOWN), MOST_SHOWN) if text.isdecimal() and len(text) < 4 else SHOWN


def _find_more(shown: int, there_are_more: bool) -> int | None:
    """How many to show next; None where there are no more, or enough."""
    return min(shown * 2, MOST_SHOWN) if there_are_more and shown < MOST_SHOWN else None


def _get_annotation(request: TenantRequest, annotation_id: UUID) -> Annotation:
    annotation = Annotation.objects.for_tenant(request.tenant).filter(id=annotation_id).first()
    if annotation is None:
        raise Http404
    return annotation


def _read_id(request: HttpRequest, name: str) -> UUID | None:
    """Raises Http404 for what is no id."""
    text = request.GET.get(name)
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error


def _render(request: TenantRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    is_part = "HX-Request" in request.headers and "HX-Boosted" not in request.headers
    if is_part:
        status = 200  # htmx shows no other
    else:
        context["empty"] = not Product.objects.for_tenant(request.tenant).exists()
    name = "retrieval/_matches.html" if is_part else "retrieval/search.html"
    response = render(request, name, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
