from typing import cast
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView, once_per_idempotency_key
from accounts.http import TenantRequest
from accounts.models import Membership, Scope
from accounts.services import NotAllowed
from integrations import endpoints, selectors
from integrations.api.serializers import (
    DeliveryAnswer,
    DeliveryDetailAnswer,
    EndpointAnswer,
    EndpointChange,
    EndpointInput,
    NewEndpointAnswer,
    describe_delivery,
    describe_endpoint,
)
from integrations.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from kalas.lib.api.etags import IF_MATCH, answer_with_etag, check_match, etag_of, has_match
from kalas.lib.api.inputs import read, read_query
from kalas.lib.api.pages import NewestFirst, PageQuery
from kalas.lib.api.problems import Problem

# What the services raise, and the problem that it is.
PROBLEMS: tuple[tuple[type[Exception], str], ...] = (
    (NotAllowed, "forbidden"),
    (endpoints.TooManyEndpoints, "too-many-webhooks"),
    (endpoints.NotActive, "webhook-not-active"),
)


class WebhookView(ApiView):
    scopes = dict.fromkeys(("GET", "POST", "PATCH", "DELETE"), (Scope.MANAGE,))

    @property
    def member(self) -> Membership | None:
        """The member whose session asks, whose role the services check; None for a key."""
        if self.caller.user is None:
            return None
        return cast(TenantRequest, self.request._request).membership

    def handle_exception(self, exc: Exception) -> Response:
        for known, name in PROBLEMS:
            if isinstance(exc, known):
                return super().handle_exception(Problem(name))
        return super().handle_exception(exc)


class WebhooksView(WebhookView):
    secret = ""

    @extend_schema(
        operation_id="list_webhooks", parameters=[PageQuery], responses=EndpointAnswer(many=True)
    )
    @transaction.atomic
    def get(self, request: Request) -> Response:
        """The addresses that results are sent to."""
        read_query(request, PageQuery)
        pages = NewestFirst()
        found = WebhookEndpoint.objects.for_tenant(self.tenant)
        page: list[WebhookEndpoint] = pages.paginate_queryset(found, request, self) or []
        return pages.get_paginated_response([describe_endpoint(endpoint) for endpoint in page])

    @extend_schema(
        operation_id="create_webhook", request=EndpointInput, responses={201: NewEndpointAnswer}
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Have results sent to an address. The answer tells the secret, this once."""
        return _tell_secret(self._create(request), self.secret)

    post.is_idempotent = True  # type: ignore[attr-defined]

    @once_per_idempotency_key
    @transaction.atomic
    def _create(self, request: Request) -> Response:
        asked = read(EndpointInput, request.data)
        endpoint, self.secret = endpoints.create_endpoint(
            tenant=self.tenant, by=self.member, now=timezone.now(), **asked
        )
        return Response(describe_endpoint(endpoint), status=201)


class OneWebhookView(WebhookView):
    @extend_schema(operation_id="get_webhook", responses=EndpointAnswer)
    @transaction.atomic
    def get(self, request: Request, endpoint_id: UUID) -> HttpResponse:
        """One endpoint, with an ETag: `If-None-Match` gets 304 while nothing has changed."""
        endpoint = selectors.get_endpoint(tenant=self.tenant, endpoint_id=endpoint_id)
        return answer_with_etag(request, describe_endpoint(endpoint))

    @extend_schema(
        operation_id="change_webhook",
        parameters=[IF_MATCH],
        request=EndpointChange,
        responses=EndpointAnswer,
    )
    @transaction.atomic
    def patch(self, request: Request, endpoint_id: UUID) -> Response:
        """Change the address, name or events, switch it off, or on again after a pause."""
        asked = read(EndpointChange, request.data)
        self._hold(endpoint_id)
        endpoint = selectors.get_endpoint(tenant=self.tenant, endpoint_id=endpoint_id)
        tenant, by = self.tenant, self.member
        endpoint = endpoints.change_endpoint(
            tenant=tenant,
            by=by,
            endpoint_id=endpoint_id,
            name=asked.get("name", endpoint.name),
            url=asked.get("url", endpoint.url),
            events=asked.get("events", endpoint.events),
        )
        if asked.get("state") == "off":
            endpoint = endpoints.switch_off(tenant=tenant, by=by, endpoint_id=endpoint_id)
        elif asked.get("state") == "active":
            endpoint = endpoints.switch_on(
                tenant=tenant, by=by, endpoint_id=endpoint_id, now=timezone.now()
            )
        told = describe_endpoint(endpoint)
        return Response(told, headers={"ETag": etag_of(told)})

    @extend_schema(operation_id="delete_webhook", parameters=[IF_MATCH], responses={204: None})
    @transaction.atomic
    def delete(self, request: Request, endpoint_id: UUID) -> Response:
        """Delete it with its log, and what was not sent yet."""
        self._hold(endpoint_id)
        endpoints.delete_endpoint(tenant=self.tenant, by=self.member, endpoint_id=endpoint_id)
        return Response(status=204)

    def _hold(self, endpoint_id: UUID) -> None:
        """Where `If-Match` says what it must be; raises Problem."""
        if has_match(self.request):
            endpoint = endpoints.hold_endpoint(
                tenant=self.tenant, by=self.member, endpoint_id=endpoint_id
            )
            check_match(self.request, describe_endpoint(endpoint))


class WebhookSecretView(WebhookView):
    secret = ""

    @extend_schema(operation_id="replace_webhook_secret", request=None, responses=NewEndpointAnswer)
    def post(self, request: Request, endpoint_id: UUID) -> HttpResponseBase:
        """A new secret; for a day messages are signed with the old one as well."""
        return _tell_secret(self._replace(request, endpoint_id), self.secret)

    post.is_idempotent = True  # type: ignore[attr-defined]

    @once_per_idempotency_key
    @transaction.atomic
    def _replace(self, request: Request, endpoint_id: UUID) -> Response:
        endpoint, self.secret = endpoints.rotate_secret(
            tenant=self.tenant, by=self.member, endpoint_id=endpoint_id, now=timezone.now()
        )
        return Response(describe_endpoint(endpoint))


class WebhookTestView(WebhookView):
    @extend_schema(operation_id="test_webhook", request=None, responses={202: DeliveryAnswer})
    @once_per_idempotency_key
    @transaction.atomic
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Send a `webhook.test`, whatever the endpoint's events and state."""
        delivery = endpoints.send_test(
            tenant=self.tenant, by=self.member, endpoint_id=endpoint_id, now=timezone.now()
        )
        return Response(describe_delivery(delivery), status=202)


class WebhookDeliveriesView(WebhookView):
    @extend_schema(
        operation_id="list_webhook_deliveries",
        parameters=[PageQuery],
        responses=DeliveryAnswer(many=True),
    )
    @transaction.atomic
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """What was sent to the endpoint in the last 30 days, newest first."""
        read_query(request, PageQuery)
        endpoint = selectors.get_endpoint(tenant=self.tenant, endpoint_id=endpoint_id)
        pages = NewestFirst()
        found = selectors.list_deliveries(tenant=self.tenant, endpoint=endpoint)
        page: list[WebhookDelivery] = pages.paginate_queryset(found, request, self) or []
        return pages.get_paginated_response([describe_delivery(delivery) for delivery in page])


class WebhookDeliveryView(WebhookView):
    @extend_schema(operation_id="get_webhook_delivery", responses=DeliveryDetailAnswer)
    @transaction.atomic
    def get(self, request: Request, delivery_id: UUID) -> Response:
        """With its body and what came back, the newest attempt first."""
        delivery = selectors.get_delivery(tenant=self.tenant, delivery_id=delivery_id)
        log = [_describe_attempt(each) for each in selectors.list_attempts(delivery=delivery)]
        described = {**describe_delivery(delivery), "body": delivery.message.body, "log": log}
        return Response(described)


class WebhookAgainView(WebhookView):
    @extend_schema(operation_id="send_webhook_again", request=None, responses={202: DeliveryAnswer})
    @once_per_idempotency_key
    @transaction.atomic
    def post(self, request: Request, delivery_id: UUID) -> Response:
        """The same message with the same `webhook-id`, with all of its tries."""
        delivery = endpoints.send_again(
            tenant=self.tenant, by=self.member, delivery_id=delivery_id, now=timezone.now()
        )
        return Response(describe_delivery(delivery), status=202)


def _tell_secret(response: HttpResponseBase, secret: str) -> HttpResponseBase:
    """Added here, so that an answer that is kept to be repeated does not hold it."""
    if isinstance(response, Response):
        response.data = {**response.data, "secret": secret}
    return response


def _describe_attempt(attempt: WebhookAttempt) -> dict[str, object]:
    return {
        "number": attempt.number,
        "started_at": attempt.started_at,
        "duration_ms": attempt.duration_ms,
        "status": attempt.status,
        "error": attempt.error or None,
        "request_headers": attempt.request_headers,
        "response_headers": attempt.response_headers,
        "response_body": attempt.response_body,
    }
