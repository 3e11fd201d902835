from django.urls import path

from annotations.views import (
    dashboard,
    history,
    media,
    past_reviews,
    photos,
    review_grid,
    review_quality,
    reviews,
    uploads,
)

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
    path(
        "annotations/<uuid:annotation_id>/suggest/", reviews.suggest_review, name="suggest_review"
    ),
    path("photos/<uuid:image_id>/crop/", photos.annotate_crop, name="annotate_crop"),
    path("photos/<uuid:image_id>/delete/", photos.delete_image, name="delete_image"),
    path("review/", reviews.show_review, name="review"),
    path("review/words/", reviews.send_words, name="review_words"),
    path("review/counts/", reviews.send_counts, name="review_counts"),
    path("review/claim/", reviews.claim_items, name="review_claim"),
    path("review/return/", reviews.return_items, name="review_return"),
    path("review/undo/", reviews.undo_last, name="review_undo"),
    path("review/grid/", review_grid.show_grid, name="review_grid"),
    path("review/grid/preview/", review_grid.preview_grid, name="review_grid_preview"),
    path("review/grid/apply/", review_grid.apply_grid, name="review_grid_apply"),
    path("review/grid/undo/", review_grid.undo_grid, name="review_grid_undo"),
    path("review/quality/", review_quality.show_quality, name="review_quality"),
    path("review/settings/", review_quality.change_settings, name="review_settings"),
    path("review/past/", past_reviews.show_past_reviews, name="past_reviews"),
    path("review/past/reviews.csv", past_reviews.export_csv, name="export_reviews_csv"),
    path("review/past/reviews.ndjson", past_reviews.export_ndjson, name="export_reviews_ndjson"),
    path(
        "review/past/<uuid:review_id>/undo/",
        past_reviews.undo_past_review,
        name="undo_past_review",
    ),
    path("review/<uuid:annotation_id>/save/", reviews.save_review, name="review_save"),
    path("review/<uuid:annotation_id>/skip/", reviews.skip_item, name="review_skip"),
    path("media/<uuid:image_id>/photo", media.send_photo, name="photo"),
    path("media/<uuid:image_id>/thumbnail", media.send_thumbnail, name="thumbnail"),
]
