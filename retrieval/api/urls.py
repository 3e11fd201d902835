from django.urls import path

from retrieval.api import compat

urlpatterns = [
    path("compat/retrieve", compat.OldRetrieveView.as_view(), name="api_compat_retrieve"),
]
