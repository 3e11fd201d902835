from django.urls import path

from integrations.stores import views

one = "<uuid:store_id>/"

urlpatterns = [
    path("", views.show_integrations, name="integrations"),
    path("woocommerce/new/", views.add_woocommerce, name="add_woocommerce"),
    path(one, views.show_store, name="store"),
]
