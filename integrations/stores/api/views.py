from typing import cast
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.base import ApiView, once_per_idempotency_key
from accounts.http import TenantRequest
from accounts.models import Membership, Scope
from accounts.services import NotAllowed
from integrations.stores import selectors, services
from integrations.stores.api.serializers import (
    ChangesQuery,
    RunAnswer,
    RunChange,
    StoreAnswer,
    StoreChangeAnswer,
    StoreDeliveryAnswer,
    StoreDetailAnswer,
    StoreUndoAnswer,
    StoreUndoInput,
    describe_change,
    describe_delivery,
    describe_run,
    describe_store,
)
from integrations.stores.models import Store, StoreDelivery, StoreRun, WriteBack
from integrations.stores.running import measure
from kalas.lib.api.etags import answer_with_etag
from kalas.lib.api.inputs import read, read_query
from kalas.lib.api.pages import NewestFirst, PageQuery
from kalas.lib.api.problems import Problem

# What the services raise, and the problem that it is.
PROBLEMS: tuple[tuple[type[Exception], str], ...] = (
    (NotAllowed, "forbidden"),
    (services.NotConnected, "store-not-connected"),
    (services.RunGoesOn, "backfill-goes-on"),
)


class NewestDeliveries(NewestFirst):
    ordering = ("-received_at", "-id")


class StoreView(ApiView):
    scopes = dict.fromkeys(("GET", "POST", "PATCH"), (Scope.MANAGE,))

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

    def get_store(self, store_id: UUID) -> Store:
        return selectors.get_store(tenant=self.tenant, store_id=store_id)

    def start(self, store_id: UUID, *, preview: bool) -> Response:
        run = services.start_run(
            tenant=self.tenant,
            by=self.member,
            store_id=store_id,
            preview=preview,
            now=timezone.now(),
        )
        return Response(describe_run(run, measure(run)), status=202)


class StoresView(StoreView):
    @extend_schema(
        operation_id="list_stores", parameters=[PageQuery], responses=StoreAnswer(many=True)
    )
    @transaction.atomic
    def get(self, request: Request) -> Response:
        """The shop's stores; connecting one needs a person, on the pages."""
        read_query(request, PageQuery)
        pages = NewestFirst()
        found = Store.objects.for_tenant(self.tenant).listed()
        page: list[Store] = pages.paginate_queryset(found, request, self) or []
        return pages.get_paginated_response([describe_store(store) for store in page])


class OneStoreView(StoreView):
    @extend_schema(operation_id="get_store", responses=StoreDetailAnswer)
    @transaction.atomic
    def get(self, request: Request, store_id: UUID) -> HttpResponse:
        """One store, with an ETag: `If-None-Match` gets 304 while nothing has changed."""
        store = self.get_store(store_id)
        run, progress = selectors.find_run(store=store)
        return answer_with_etag(
            request,
            {
                **describe_store(store),
                "products": selectors.count_states(store=store),
                "backfill": describe_run(run, progress) if run and progress else None,
            },
        )


class PreviewView(StoreView):
    @extend_schema(operation_id="preview_store", request=None, responses={202: RunAnswer})
    @once_per_idempotency_key
    @transaction.atomic
    def post(self, request: Request, store_id: UUID) -> Response:
        """Look through the whole store; every change is suggested, nothing is written."""
        return self.start(store_id, preview=True)


class BackfillView(StoreView):
    @extend_schema(operation_id="start_backfill", request=None, responses={202: RunAnswer})
    @once_per_idempotency_key
    @transaction.atomic
    def post(self, request: Request, store_id: UUID) -> Response:
        """Look through the whole store and write, as the store's settings say."""
        return self.start(store_id, preview=False)

    @extend_schema(operation_id="change_backfill", request=RunChange, responses=RunAnswer)
    @transaction.atomic
    def patch(self, request: Request, store_id: UUID) -> Response:
        """Pause it, go on with it or end it; the same for a preview."""
        self.get_store(store_id)
        asked = read(RunChange, request.data)
        run = services.set_run_state(
            tenant=self.tenant,
            by=self.member,
            store_id=store_id,
            state=StoreRun.State(asked["state"]),
            now=timezone.now(),
        )
        return Response(describe_run(run, measure(run)))


class ReconcileView(StoreView):
    @extend_schema(operation_id="reconcile_store", request=None, responses={202: StoreAnswer})
    @once_per_idempotency_key
    @transaction.atomic
    def post(self, request: Request, store_id: UUID) -> Response:
        """Ask the store now for what it did not tell, which is done every 15 minutes anyway."""
        store = services.poll_now(
            tenant=self.tenant, by=self.member, store_id=store_id, now=timezone.now()
        )
        return Response(describe_store(store), status=202)


class DeliveriesView(StoreView):
    @extend_schema(
        operation_id="list_store_deliveries",
        parameters=[PageQuery],
        responses=StoreDeliveryAnswer(many=True),
    )
    @transaction.atomic
    def get(self, request: Request, store_id: UUID) -> Response:
        """What the store has told in the last 30 days, newest first."""
        store = self.get_store(store_id)
        read_query(request, PageQuery)
        pages = NewestDeliveries()
        found = store.deliveries.all()
        page: list[StoreDelivery] = pages.paginate_queryset(found, request, self) or []
        return pages.get_paginated_response([describe_delivery(each) for each in page])


class ChangesView(StoreView):
    @extend_schema(
        operation_id="list_store_changes",
        parameters=[ChangesQuery],
        responses=StoreChangeAnswer(many=True),
    )
    @transaction.atomic
    def get(self, request: Request, store_id: UUID) -> Response:
        """What is suggested, was written and was undone, newest first."""
        store = self.get_store(store_id)
        asked = read_query(request, ChangesQuery)
        pages = NewestFirst()
        found = selectors.list_changes(store=store, state=asked.get("state", ""))
        page: list[WriteBack] = pages.paginate_queryset(found, request, self) or []
        return pages.get_paginated_response([describe_change(each) for each in page])


class UndoView(StoreView):
    @extend_schema(
        operation_id="undo_store", request=StoreUndoInput, responses={202: StoreUndoAnswer}
    )
    @once_per_idempotency_key
    @transaction.atomic
    def post(self, request: Request, store_id: UUID) -> Response:
        """Take back what was written, where nobody has changed it since."""
        self.get_store(store_id)
        asked = read(StoreUndoInput, request.data)
        number = services.undo(
            tenant=self.tenant,
            by=self.member,
            store_id=store_id,
            ids=asked.get("changes"),
            run_id=asked.get("backfill"),
            now=timezone.now(),
        )
        return Response({"changes": number}, status=202)
