from django.urls import path

from integrations import views

urlpatterns = [
    path("", views.show_webhooks, name="webhooks"),
    path("new/", views.create_webhook, name="create_webhook"),
    path("<uuid:endpoint_id>/", views.show_webhook, name="webhook"),
    path("<uuid:endpoint_id>/log/", views.show_webhook_log, name="webhook_log"),
    path("<uuid:endpoint_id>/change/", views.change_webhook, name="change_webhook"),
    path("<uuid:endpoint_id>/secret/", views.rotate_webhook_secret, name="rotate_webhook_secret"),
    path("<uuid:endpoint_id>/on/", views.switch_webhook_on, name="switch_webhook_on"),
    path("<uuid:endpoint_id>/off/", views.switch_webhook_off, name="switch_webhook_off"),
    path("<uuid:endpoint_id>/delete/", views.delete_webhook, name="delete_webhook"),
    path("<uuid:endpoint_id>/test/", views.test_webhook, name="test_webhook"),
    path("deliveries/<uuid:delivery_id>/", views.show_webhook_delivery, name="webhook_delivery"),
    path(
        "deliveries/<uuid:delivery_id>/again/", views.send_webhook_again, name="send_webhook_again"
    ),
]
