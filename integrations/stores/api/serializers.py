"""What the API takes and answers about stores."""

from typing import Any

from rest_framework import serializers

from integrations.stores.models import Platform, Store, StoreDelivery, StoreRun, WriteBack
from integrations.stores.running import Progress
from kalas.lib.api.inputs import Choice, StrictSerializer
from kalas.lib.api.pages import PageQuery

Fields = serializers.Serializer[Any]
MOST_CHANGES = 1000


class StoreAnswer(Fields):
    id = serializers.UUIDField()
    platform = serializers.ChoiceField(choices=Platform.values)
    name = serializers.CharField()
    url = serializers.CharField(help_text="Empty for a shop's own software.")
    state = serializers.ChoiceField(choices=Store.State.values)
    problem = serializers.CharField(allow_null=True, help_text="A code that never changes.")
    problem_detail = serializers.CharField(allow_null=True, help_text="For people.")
    mode = serializers.ChoiceField(choices=Store.Mode.values)
    threshold = serializers.FloatField()
    language = serializers.CharField()
    delivered_at = serializers.DateTimeField(allow_null=True, help_text="When it told us last.")
    polled_at = serializers.DateTimeField(allow_null=True, help_text="When it was asked last.")
    connected_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class RunAnswer(Fields):
    id = serializers.UUIDField()
    preview = serializers.BooleanField(help_text="Whether it only suggests.")
    state = serializers.ChoiceField(choices=StoreRun.State.values)
    total = serializers.IntegerField(help_text="Products, as far as the store has said.")
    read = serializers.IntegerField()
    done = serializers.IntegerField()
    will_change = serializers.IntegerField(help_text="Products with a change that is not written.")
    written = serializers.IntegerField()
    failed = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class StoreDetailAnswer(StoreAnswer):
    products = serializers.DictField(
        child=serializers.IntegerField(), help_text="How many are in each state."
    )
    backfill = RunAnswer(allow_null=True, help_text="The last one, or the last preview.")


class RunChange(StrictSerializer):
    state = Choice(
        choices=["running", "paused", "cancelled"],
        help_text="What was written stays when it is `cancelled`.",
    )


class StoreDeliveryAnswer(Fields):
    id = serializers.UUIDField()
    topic = serializers.CharField()
    product = serializers.CharField(help_text="The store's id.")
    state = serializers.ChoiceField(choices=StoreDelivery.State.values)
    problem = serializers.CharField(allow_null=True)
    repeats = serializers.IntegerField(help_text="How often the same message came again.")
    attempts = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class ChangesQuery(PageQuery):
    state = Choice(choices=WriteBack.State.values, required=False)


class StoreChangeAnswer(Fields):
    id = serializers.UUIDField()
    external_id = serializers.CharField(help_text="The store's id of the product.")
    product = serializers.UUIDField(allow_null=True, help_text="The catalogue's.")
    state = serializers.ChoiceField(choices=WriteBack.State.values)
    change = serializers.DictField(help_text="What is added, set and taken away.")
    created_at = serializers.DateTimeField()
    applied_at = serializers.DateTimeField(allow_null=True)
    reverted_at = serializers.DateTimeField(allow_null=True)


class StoreUndoInput(StrictSerializer):
    """Exactly one of them. What people have changed since stays."""

    changes = serializers.ListField(
        child=serializers.UUIDField(), min_length=1, max_length=MOST_CHANGES, required=False
    )
    backfill = serializers.UUIDField(required=False, help_text="All that this one has written.")
    everything = Choice(choices=[True], required=False)

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if len(values) != 1:
            raise serializers.ValidationError("Name changes, backfill or everything: one of them.")
        return values


class StoreUndoAnswer(Fields):
    changes = serializers.IntegerField(help_text="How many are being undone.")


def describe_store(store: Store) -> dict[str, Any]:
    return {
        "id": str(store.id),
        "platform": store.platform,
        "name": str(store),
        "url": store.url,
        "state": store.state,
        "problem": store.problem or None,
        "problem_detail": store.problem_text or None,
        "mode": store.mode,
        "threshold": store.threshold,
        "language": store.language,
        "delivered_at": store.delivered_at,
        "polled_at": store.polled_at,
        "connected_at": store.connected_at,
        "created_at": store.created_at,
    }


def describe_run(run: StoreRun, progress: Progress) -> dict[str, Any]:
    return {
        "id": str(run.id),
        "preview": run.preview,
        "state": run.state,
        "total": progress.total,
        "read": progress.read,
        "done": progress.done,
        "will_change": progress.will_change,
        "written": progress.written,
        "failed": progress.failed,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
    }


def describe_delivery(delivery: StoreDelivery) -> dict[str, Any]:
    return {
        "id": str(delivery.id),
        "topic": delivery.topic,
        "product": delivery.external_id,
        "state": delivery.state,
        "problem": delivery.problem or None,
        "repeats": delivery.repeats,
        "attempts": delivery.attempts,
        "created_at": delivery.received_at,
        "finished_at": delivery.finished_at,
    }


def describe_change(write_back: WriteBack) -> dict[str, Any]:
    """With its product; no queries."""
    row = write_back.store_product
    return {
        "id": str(write_back.id),
        "external_id": row.external_id,
        "product": str(row.product_id) if row.product_id else None,
        "state": write_back.state,
        "change": write_back.change,
        "created_at": write_back.created_at,
        "applied_at": write_back.applied_at,
        "reverted_at": write_back.reverted_at,
    }
