from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from accounts.http import ShopRequest, TenantRequest, UserRequest
from accounts.models import Role
from kalas.lib.tenant_rows import only_rows_of

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def user_required(
    view: Callable[Concatenate[UserRequest, P], HttpResponseBase],
) -> View[P]:
    """Strangers log in first."""

    @wraps(view)
    def check(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _send_to_login(request)
        return view(cast(UserRequest, request), *args, **kwargs)

    return check


def tenant_required(
    view: Callable[Concatenate[TenantRequest, P], HttpResponseBase],
) -> View[P]:
    """Strangers log in first; a user without a shop makes one or waits for an invitation.

    The view sees its shop's rows only.
    """

    @wraps(view)
    def check(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _send_to_login(request)
        tenant = cast(ShopRequest, request).tenant
        if tenant is None:
            return _redirect(request, to="create_shop")
        with only_rows_of(tenant.id):
            return view(cast(TenantRequest, request), *args, **kwargs)

    return check


def role_required(
    *roles: Role,
) -> Callable[[Callable[Concatenate[TenantRequest, P], HttpResponseBase]], View[P]]:
    """Members without one of the roles get the 403 page, with the reason."""

    def decorate(
        view: Callable[Concatenate[TenantRequest, P], HttpResponseBase],
    ) -> View[P]:
        @wraps(view)
        def check(request: TenantRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if request.membership.role not in roles:
                names = ", ".join(str(role.label) for role in roles)
                raise PermissionDenied(_("In this shop only these roles can do that: %s.") % names)
            return view(request, *args, **kwargs)

        return tenant_required(check)

    return decorate


def _send_to_login(request: HttpRequest) -> HttpResponseBase:
    """A fragment's request would put the log-in page into the fragment: move the whole page.

    A script that uploads gets words for the person; who posted a form does not come back to its
    address, which takes nothing but forms.
    """
    if getattr(request, "htmx", False):
        page = request.headers.get("HX-Current-URL", "/")
        return HttpResponseClientRedirect(redirect_to_login(page).url)
    if request.headers.get("X-Requested-With") == "XMLHttpRequest":
        return JsonResponse(
            {"type": "about:blank", "title": _("You are logged out.")},
            status=401,
            content_type="application/problem+json",
        )
    if request.method not in ("GET", "HEAD"):
        return redirect(settings.LOGIN_URL)
    return redirect_to_login(request.get_full_path())


def _redirect(request: HttpRequest, *, to: str) -> HttpResponseBase:
    target = redirect(to)
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(target.url)
    return target
