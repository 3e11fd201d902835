"""The search indexes of a shop: which is searched, what another would change, and the switch."""

from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import Count
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.decorators import role_required
from accounts.http import TenantRequest
from accounts.models import Role
from inference import client
from retrieval import jobs
from retrieval.charts import draw_chart, list_tests
from retrieval.comparing import compare_indexes
from retrieval.models import ActiveIndex, IndexVersion
from retrieval.services import building, indexes

SHOWN_TESTS = 14
leaders_only = role_required(Role.OWNER, Role.MANAGER)


@require_safe
@leaders_only
def show_indexes(request: TenantRequest) -> HttpResponse:
    versions = IndexVersion.objects.for_tenant(request.tenant).order_by("-created_at")
    newest = list_tests(tenant=request.tenant)
    context = {
        "versions": versions.annotate(number=Count("embeddings")),
        "active": ActiveIndex.objects.filter(tenant=request.tenant).first(),
        "photos": indexes.list_searchable_photos(request.tenant.id).count(),
        "tests": newest[:SHOWN_TESTS],
        "chart": draw_chart(newest),
    }
    return render(request, "retrieval/indexes.html", context)


@require_POST
@leaders_only
def test_search(request: TenantRequest) -> HttpResponse:
    active = ActiveIndex.objects.filter(tenant=request.tenant).select_related("index").first()
    if active is not None:
        with transaction.atomic():
            jobs.defer_test(active.index, now=timezone.now())
        messages.success(request, _("The search is being tested. The result is here in a minute."))
    return redirect("search_indexes")


@require_POST
@leaders_only
def build_index(request: TenantRequest) -> HttpResponse:
    try:
        index = building.begin_build(tenant=request.tenant, now=timezone.now())
    except client.Unavailable:
        messages.error(request, _("The engine does not answer. Try again in a moment."))
    else:
        messages.success(request, _("The index of %s is being completed.") % index)
    return redirect("search_indexes")


@require_safe
@leaders_only
def compare_index(request: TenantRequest, index_id: UUID) -> HttpResponse:
    """The dry run: what would change, before anything does."""
    index = _get_index(request, index_id)
    active = ActiveIndex.objects.filter(tenant=request.tenant).select_related("index").first()
    if active is None or active.index_id == index.id:
        return redirect("search_indexes")
    found = compare_indexes(tenant=request.tenant, before=active.index, after=index)
    return render(request, "retrieval/index.html", {"index": index, "comparison": found})


@require_POST
@leaders_only
def switch_index(request: TenantRequest, index_id: UUID) -> HttpResponse:
    try:
        index = indexes.switch_to(tenant=request.tenant, index_id=index_id, now=timezone.now())
    except IndexVersion.DoesNotExist as error:
        raise Http404 from error
    except indexes.NotReady:
        messages.error(request, _("This index is not ready yet."))
    else:
        messages.success(request, _("Searches use %s now.") % index)
    return redirect("search_indexes")


@require_POST
@leaders_only
def delete_index(request: TenantRequest, index_id: UUID) -> HttpResponse:
    try:
        indexes.delete_index(tenant=request.tenant, index_id=index_id)
    except IndexVersion.DoesNotExist as error:
        raise Http404 from error
    except indexes.InUse:
        messages.error(request, _("This index is in use. Switch to another one first."))
    else:
        messages.success(request, _("The index was deleted."))
    return redirect("search_indexes")


def _get_index(request: TenantRequest, index_id: UUID) -> IndexVersion:
    index = IndexVersion.objects.for_tenant(request.tenant).filter(id=index_id).first()
    if index is None:
        raise Http404
    return index
