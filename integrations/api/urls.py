from django.urls import path

from integrations.api import views

one = "v1/webhooks/<uuid:endpoint_id>/"
delivery = "v1/webhooks/deliveries/<uuid:delivery_id>/"

urlpatterns = [
    path("v1/webhooks/", views.WebhooksView.as_view(), name="api_webhooks"),
    path(one, views.OneWebhookView.as_view(), name="api_webhook"),
    path(f"{one}secret/", views.WebhookSecretView.as_view(), name="api_webhook_secret"),
    path(f"{one}test/", views.WebhookTestView.as_view(), name="api_webhook_test"),
    path(f"{one}deliveries/", views.WebhookDeliveriesView.as_view(), name="api_deliveries"),
    path(delivery, views.WebhookDeliveryView.as_view(), name="api_delivery"),
    path(f"{delivery}again/", views.WebhookAgainView.as_view(), name="api_delivery_again"),
]
