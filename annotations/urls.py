from django.urls import path

from annotations.views import dashboard, history, media, photos, uploads

urlpatterns = [
    path("dashboard/", dashboard.show_dashboard, name="dashboard"),
    path("dashboard/feed/", dashboard.show_feed, name="dashboard_feed"),
    path("dashboard/remove-demo/", dashboard.remove_demo, name="remove_demo"),
    path("annotate/", uploads.show_annotate, name="annotate"),
    path("annotate/upload/", uploads.upload_photos, name="upload_photos"),
    path("annotations/", history.show_history, name="history"),
    path("annotations/<uuid:annotation_id>/", photos.show_annotation, name="annotation"),
    path("annotations/<uuid:annotation_id>/card/", photos.show_card, name="annotation_card"),
    path("annotations/<uuid:annotation_id>/again/", photos.annotate_again, name="annotate_again"),
    path("photos/<uuid:image_id>/crop/", photos.annotate_crop, name="annotate_crop"),
    path("photos/<uuid:image_id>/delete/", photos.delete_image, name="delete_image"),
    path("media/<uuid:image_id>/photo", media.send_photo, name="photo"),
    path("media/<uuid:image_id>/thumbnail", media.send_thumbnail, name="thumbnail"),
]
