from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import Tenant
from kalas import sample


@require_safe
def show_home(request: HttpRequest) -> HttpResponse:
    first, *others = sample.load_samples()
    threshold = Tenant._meta.get_field("review_threshold").default
    return render(
        request, "kalas/home.html", {"first": first, "others": others, "threshold": threshold}
    )
