from django.contrib import admin
from django.urls import include, path

from kalas import health, views

urlpatterns = [
    path("", views.show_home, name="home"),
    path("healthz", health.answer_alive, name="healthz"),
    path("readyz", health.answer_ready, name="readyz"),
    path("accounts/", include("allauth.urls")),
    path("shops/", include("accounts.urls")),
    path("", include("annotations.urls")),
    path("", include("retrieval.urls")),
    path("admin/", admin.site.urls),
]
