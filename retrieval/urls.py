from django.urls import path

from retrieval import views

urlpatterns = [
    path("annotations/<uuid:annotation_id>/similar/", views.show_similar, name="similar"),
]
