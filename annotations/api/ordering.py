"""From what a request brings to the answer about its annotation."""

from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from accounts.api.base import ApiView
from accounts.usage import QuotaUsedUp
from annotations import orders, photos, results, selectors, services, waiting
from annotations.api.batches import start_batch
from annotations.api.inputs import MOST_FILES, UploadInput, build_wish
from kalas.lib.api.inputs import read
from kalas.lib.api.problems import Problem


def read_form(view: ApiView) -> tuple[list[photos.Upload], orders.Wish]:
    """Its files and what is asked for each of them; raises ValidationError."""
    request = view.request
    fields = {name: text for name, text in request.POST.items() if name not in request.FILES}
    # Most forms hold nothing but the photo; building the fields costs more than reading them.
    wish = build_wish(read(UploadInput, fields) if fields else {})
    uploads: list[photos.Upload] = request.FILES.getlist("image")
    if set(request.FILES) != {"image"} or len(uploads) > MOST_FILES:
        raise ValidationError(
            {"image": [f"Send 1 to {MOST_FILES} files in fields of this name, and no others."]}
        )
    return uploads, wish


def take_upload(view: ApiView, upload: photos.Upload, wish: orders.Wish, wait_s: float) -> Response:
    """Raises Problem and ValidationError."""
    return answer(view, _order_upload(view, upload, wish, wait_s), wait_s)


def take_several(view: ApiView, uploads: list[photos.Upload], wish: orders.Wish) -> Response:
    """A batch. A file that can't be annotated is told of there, as the others are taken."""
    items: list[Mapping[str, Any]] = []
    for upload in uploads:
        item: dict[str, Any] = {"product": wish.product, "taken_at": timezone.now()}
        try:
            item["annotation"] = _order_upload(view, upload, wish, 0).annotation
        except Problem as problem:
            item |= {"problem": problem.type.name, "detail": problem.text[:300]}
        items.append(item)
    return start_batch(view, items)


def order(
    view: ApiView, data: bytes, name: str, wish: orders.Wish, wait_s: float = 0
) -> orders.Order:
    """Raises the problem that keeps it from being annotated."""
    try:
        return orders.order_photo(
            tenant=view.tenant,
            data=data,
            name=name,
            wish=wish,
            by=orders.Client(key=view.caller.key, user=view.caller.user),
            now=timezone.now(),
            wait_s=wait_s,
        )
    except photos.PhotoRefused as error:
        raise _refuse(error) from error
    except services.CropRefused as error:
        wrong = {"field": "crop", "code": "invalid", "detail": str(error)}
        raise Problem("invalid-request", f"crop: {error}", errors=[wrong]) from error
    except QuotaUsedUp as error:
        wait = max(1, int((error.renewed_at - timezone.now()).total_seconds()))
        headers = {"Retry-After": str(wait)}
        raise Problem("quota-used-up", str(error), headers=headers) from error


def answer(view: ApiView, ordered: orders.Order, wait_s: float) -> Response:
    """201 with the result where it is there within `wait_s`, else 202. Raises Problem, and
    Annotation.DoesNotExist where it was deleted meanwhile."""
    annotation = ordered.annotation
    view.about = annotation.image_id
    path = reverse("api_annotation", args=[annotation.id])
    location = view.request.build_absolute_uri(path)
    headers = {"Location": location}
    is_here = False
    if wait_s and annotation.is_pending:
        try:
            is_here = waiting.wait_for(order=ordered, wait_s=wait_s)
        except waiting.EngineBusy as error:
            headers["Retry-After"] = str(error.retry_after_s)
            raise Problem(
                "engine-busy", headers=headers, annotation=location, id=str(annotation.id)
            ) from error
    result = (
        annotation
        if is_here
        else selectors.get_annotation(tenant=view.tenant, annotation_id=annotation.id)
    )
    status = 201 if wait_s and not result.is_pending else 202
    return Response(results.build_result(result), status=status, headers=headers)


def _order_upload(
    view: ApiView, upload: photos.Upload, wish: orders.Wish, wait_s: float
) -> orders.Order:
    try:
        data = photos.read_upload(upload)
    except photos.PhotoRefused as error:
        raise _refuse(error) from error
    return order(view, data, photos.clean_name(upload.name), wish, wait_s)


def _refuse(error: photos.PhotoRefused) -> Problem:
    return Problem("photo-refused", error.detail, reason=error.code)
