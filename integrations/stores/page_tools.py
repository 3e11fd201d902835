"""What the views of stores share."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import ObjectDoesNotExist
from django.http import Http404, HttpResponseBase

from accounts.decorators import role_required
from accounts.http import TenantRequest
from accounts.models import DEVELOPERS
from accounts.services import NotAllowed
from integrations.stores import selectors
from integrations.stores.models import Store

P = ParamSpec("P")
developers_only = role_required(*DEVELOPERS)


def one_transaction(
    view: Callable[Concatenate[TenantRequest, P], HttpResponseBase],
) -> Callable[Concatenate[TenantRequest, P], HttpResponseBase]:
    """The view is one transaction; what is missing is a 404."""

    @wraps(view)
    def answer(request: TenantRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            with transaction.atomic():
                return view(request, *args, **kwargs)
        except ObjectDoesNotExist as error:
            raise Http404 from error
        except NotAllowed as error:
            raise PermissionDenied from error

    return answer


def get_store(request: TenantRequest, store_id: UUID) -> Store:
    return selectors.get_store(tenant=request.tenant, store_id=store_id)
