from django.contrib import admin
from django.urls import include, path

from kalas import api_docs, health, problem_pages, views

handler400 = problem_pages.answer_bad_request
handler404 = problem_pages.answer_not_found
handler500 = problem_pages.answer_error

urlpatterns = [
    # First, as programs ask most and each address is compared with all that stand before it.
    path("api/v1/", include("accounts.api.urls")),
    path("api/", include("annotations.api.urls")),
    path("api/", include("retrieval.api.urls")),
    path("api/docs/", api_docs.show_docs, name="api_docs"),
    path("api/schema/", api_docs.send_description, name="api_schema"),
    path("api/", include("integrations.api.urls")),
    path("api/", include("integrations.stores.api.urls")),
    path("", views.show_home, name="home"),
    path("healthz", health.answer_alive, name="healthz"),
    path("readyz", health.answer_ready, name="readyz"),
    path("accounts/", include("allauth.urls")),
    path("shops/", include("accounts.urls")),
    path("shops/developers/webhooks/", include("integrations.urls")),
    path("integrations/", include("integrations.stores.urls")),
    path("hooks/", include("integrations.stores.hook_urls")),
    path("", include("annotations.urls")),
    path("", include("retrieval.urls")),
    path("docs/problems/", problem_pages.list_problems, name="problems"),
    path("docs/problems/<slug:name>/", problem_pages.show_problem, name="problem"),
    path("admin/", admin.site.urls),
]
