from django.urls import path

from accounts.api import views

urlpatterns = [
    path("usage/", views.UsageView.as_view(), name="api_usage"),
]
