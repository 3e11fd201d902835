from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from kalas import sample


@require_safe
def show_home(request: HttpRequest) -> HttpResponse:
    first, *others = sample.load_samples()
    return render(request, "kalas/home.html", {"first": first, "others": others})
