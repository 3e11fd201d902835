from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.decorators import tenant_required
from accounts.http import TenantRequest
from annotations import selectors
from annotations.forms import HistoryForm
from annotations.views.cards import build_cards

PAGE = 24


@require_safe
@tenant_required
def show_history(request: TenantRequest) -> HttpResponse:
    form = HistoryForm(request.GET)
    found = selectors.filter_history(tenant=request.tenant, **form.as_filter())
    pages = Paginator(selectors.with_everything(found), PAGE)
    page = pages.get_page(request.GET.get("page"))
    cards = build_cards(annotations=list(page.object_list), now=timezone.now())
    filtered = any(form.cleaned_data.get(name) for name in form.fields if name != "sort")
    return render(
        request,
        "annotations/history.html",
        {"form": form, "page_obj": page, "cards": cards, "filtered": filtered},
    )
