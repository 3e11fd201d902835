"""What the API takes and answers about webhooks."""

from typing import Any

from rest_framework import serializers

from integrations import endpoints
from integrations.models import TEST_EVENT, WebhookDelivery, WebhookEndpoint, WebhookEvent
from kalas.lib import safe_http
from kalas.lib.api.inputs import Choice, StrictSerializer

Fields = serializers.Serializer[Any]


class EndpointInput(StrictSerializer):
    url = serializers.CharField(
        max_length=safe_http.LONGEST_URL,
        help_text="Begins with https:// and is on the public internet.",
    )
    name = serializers.CharField(max_length=120, allow_blank=True, default="")
    events = serializers.ListField(
        child=Choice(choices=WebhookEvent.values),
        allow_empty=False,
        max_length=len(WebhookEvent.values),
    )

    def validate_url(self, url: str) -> str:
        try:
            endpoints.check_address(url)
        except endpoints.AddressRefused as error:
            raise serializers.ValidationError(error.detail, code=error.code) from error
        return url


class EndpointChange(EndpointInput):
    """Only what is named is changed."""

    url = serializers.CharField(max_length=safe_http.LONGEST_URL, required=False)
    name = serializers.CharField(max_length=120, allow_blank=True, required=False)
    events = serializers.ListField(
        child=Choice(choices=WebhookEvent.values),
        allow_empty=False,
        max_length=len(WebhookEvent.values),
        required=False,
    )
    state = Choice(
        choices=["active", "off"],
        required=False,
        help_text="`active` also ends a pause; what was held back is sent then.",
    )


class EndpointAnswer(Fields):
    id = serializers.UUIDField()
    url = serializers.CharField()
    name = serializers.CharField()
    events = serializers.ListField(child=serializers.ChoiceField(choices=WebhookEvent.values))
    state = serializers.ChoiceField(choices=WebhookEndpoint.State.values)
    pause_reason = serializers.ChoiceField(
        choices=WebhookEndpoint.PauseReason.values, allow_null=True
    )
    failing_since = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class NewEndpointAnswer(EndpointAnswer):
    secret = serializers.CharField(
        required=False,
        help_text="Checks signatures. Told once: a repetition by Idempotency-Key leaves it out.",
    )


class DeliveryAnswer(Fields):
    id = serializers.UUIDField()
    endpoint = serializers.UUIDField()
    message = serializers.CharField(help_text="The `webhook-id` of each attempt.")
    event = serializers.ChoiceField(choices=[*WebhookEvent.values, TEST_EVENT])
    state = serializers.ChoiceField(choices=WebhookDelivery.State.values)
    attempts = serializers.IntegerField()
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class AttemptAnswer(Fields):
    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    duration_ms = serializers.IntegerField()
    status = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_null=True, help_text="What went wrong where no status is.")
    request_headers = serializers.DictField(child=serializers.CharField())
    response_headers = serializers.DictField(child=serializers.CharField())
    response_body = serializers.CharField(help_text="At most its first 4,096 bytes.")


class DeliveryDetailAnswer(DeliveryAnswer):
    body = serializers.CharField(help_text="What is sent, byte for byte.")
    log = AttemptAnswer(many=True)


def describe_endpoint(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": str(endpoint.id),
        "url": endpoint.url,
        "name": endpoint.name,
        "events": endpoint.events,
        "state": endpoint.state,
        "pause_reason": endpoint.pause_reason or None,
        "failing_since": endpoint.failing_since,
        "created_at": endpoint.created_at,
    }


def describe_delivery(delivery: WebhookDelivery) -> dict[str, Any]:
    """With its message; no queries."""
    return {
        "id": str(delivery.id),
        "endpoint": str(delivery.endpoint_id),
        "message": delivery.message.name,
        "event": delivery.message.event,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at,
        "created_at": delivery.created_at,
        "finished_at": delivery.finished_at,
    }
