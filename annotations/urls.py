from django.urls import path

from annotations.views import dashboard, history, media, photos, reviews, uploads

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
    path("review/", reviews.show_review, name="review"),
    path("review/words/", reviews.send_words, name="review_words"),
    path("review/counts/", reviews.send_counts, name="review_counts"),
    path("review/claim/", reviews.claim_items, name="review_claim"),
    path("review/return/", reviews.return_items, name="review_return"),
    path("review/undo/", reviews.undo_last, name="review_undo"),
    path("review/<uuid:annotation_id>/save/", reviews.save_review, name="review_save"),
    path("review/<uuid:annotation_id>/skip/", reviews.skip_item, name="review_skip"),
    path("media/<uuid:image_id>/photo", media.send_photo, name="photo"),
    path("media/<uuid:image_id>/thumbnail", media.send_thumbnail, name="thumbnail"),
]
