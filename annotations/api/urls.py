from django.urls import path

from annotations.api import (
    annotations,
    batches,
    compat,
    images,
    landmarks,
    quality,
    reviews,
    shop_models,
    taxonomies,
)

one = "v1/annotations/<uuid:annotation_id>/"

urlpatterns = [
    path("v1/annotations/", annotations.AnnotationsView.as_view(), name="api_annotations"),
    path(one, annotations.AnnotationView.as_view(), name="api_annotation"),
    path(f"{one}overlay.png", annotations.OverlayView.as_view(), name="api_overlay"),
    path(f"{one}landmarks", landmarks.LandmarksView.as_view(), name="api_landmarks"),
    path(f"{one}review/", reviews.ReviewView.as_view(), name="api_review"),
    path("v1/batches/", batches.BatchesView.as_view(), name="api_batches"),
    path("v1/batches/<uuid:batch_id>/", batches.BatchView.as_view(), name="api_batch"),
    path("v1/images/", images.ImagesView.as_view(), name="api_images"),
    path("v1/images/<uuid:image_id>/", images.ImageView.as_view(), name="api_image"),
    path("v1/images/<uuid:image_id>/file", images.ImageFileView.as_view(), name="api_image_file"),
    path("v1/reviews/", reviews.ReviewsView.as_view(), name="api_reviews"),
    path("v1/reviews/<uuid:review_id>/", reviews.OneReviewView.as_view(), name="api_one_review"),
    path("v1/reviews/<uuid:review_id>/undo/", reviews.UndoView.as_view(), name="api_undo_review"),
    path("v1/quality/", quality.QualityView.as_view(), name="api_quality"),
    path("v1/model/", shop_models.ModelView.as_view(), name="api_model"),
    path("v1/taxonomy/", taxonomies.TaxonomyView.as_view(), name="api_taxonomy"),
    path("compat/annotate", compat.OldAnnotateView.as_view(), name="api_compat_annotate"),
]
