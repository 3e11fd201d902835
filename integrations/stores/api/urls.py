from django.urls import path

from integrations.stores.api import views

one = "v1/stores/<uuid:store_id>/"

urlpatterns = [
    path("v1/stores/", views.StoresView.as_view(), name="api_stores"),
    path(one, views.OneStoreView.as_view(), name="api_store"),
    path(f"{one}preview/", views.PreviewView.as_view(), name="api_store_preview"),
    path(f"{one}backfill/", views.BackfillView.as_view(), name="api_store_backfill"),
    path(f"{one}reconcile/", views.ReconcileView.as_view(), name="api_store_reconcile"),
    path(f"{one}deliveries/", views.DeliveriesView.as_view(), name="api_store_deliveries"),
    path(f"{one}changes/", views.ChangesView.as_view(), name="api_store_changes"),
    path(f"{one}undo/", views.UndoView.as_view(), name="api_store_undo"),
]
