from django.urls import path

from integrations.stores import hook_views

urlpatterns = [
    path("stores/<uuid:store_id>/", hook_views.receive, name="store_hook"),
    path("woocommerce/keys/", hook_views.take_keys, name="store_keys"),
    path("shopify/compliance/", hook_views.take_compliance, name="shopify_compliance"),
    path("shopify/approved/", hook_views.take_approval, name="shopify_approved"),
]
