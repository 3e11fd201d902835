from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from kalas.lib.api.inputs import StrictSerializer

LONGEST_SPAN = timedelta(days=366)


class UsageQuery(StrictSerializer):
    since = serializers.DateField(
        required=False, help_text="First day (UTC); 30 days before `until` where left out."
    )
    until = serializers.DateField(required=False, help_text="Last day (UTC); today if left out.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        until = attrs.get("until") or timezone.now().date()
        try:
            since = attrs.get("since") or until - timedelta(days=29)
        except OverflowError:
            since = until
        if since > until:
            raise serializers.ValidationError({"since": ["It must not be after `until`."]})
        if until - since > LONGEST_SPAN:
            raise serializers.ValidationError({"since": ["At most 366 days at once."]})
        return {"since": since, "until": until}


class DayOfUseAnswer(serializers.Serializer[Any]):
    day = serializers.DateField()
    requests = serializers.IntegerField(help_text="Answered, whatever the answer was.")
    refused = serializers.IntegerField(help_text="Refused by rate limits.")
    annotations = serializers.IntegerField(help_text="Asked for; repetitions are not counted.")


class MonthAnswer(serializers.Serializer[Any]):
    month = serializers.DateField(help_text="Its first day.")
    annotations = serializers.IntegerField()
    quota = serializers.IntegerField(allow_null=True, help_text="null: no limit.")
    renewed_at = serializers.DateTimeField()


class UsageAnswer(serializers.Serializer[Any]):
    month = MonthAnswer()
    days = DayOfUseAnswer(many=True)
