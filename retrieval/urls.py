from django.urls import path

from retrieval.views import exports, imports, indexes, photos, products, search, widget, widget_docs

urlpatterns = [
    path("annotations/<uuid:annotation_id>/similar/", search.show_similar, name="similar"),
    path("search/", search.show_search, name="search"),
    path("search/photo/", search.search_photo, name="search_photo"),
    path("search/suggest/", search.suggest, name="suggest"),
    path("search/indexes/", indexes.show_indexes, name="search_indexes"),
    path("search/indexes/build/", indexes.build_index, name="build_index"),
    path("search/indexes/test/", indexes.test_search, name="test_search"),
    path("search/indexes/<uuid:index_id>/", indexes.compare_index, name="compare_index"),
    path("search/indexes/<uuid:index_id>/switch/", indexes.switch_index, name="switch_index"),
    path("search/indexes/<uuid:index_id>/delete/", indexes.delete_index, name="delete_index"),
    path("widget/<slug:name>.js", widget.send_module, name="widget_module"),
    path("shown/<str:token>", widget.send_shown_thumbnail, name="shown_thumbnail"),
    path("docs/widget/", widget_docs.show_widget_docs, name="widget_docs"),
    path("catalogue/", products.show_catalogue, name="catalogue"),
    path("catalogue/new/", products.add_product, name="add_product"),
    path("catalogue/change/", products.change_products, name="change_products"),
    path("catalogue/export/csv/", exports.export_csv, name="export_csv"),
    path("catalogue/export/ndjson/", exports.export_ndjson, name="export_ndjson"),
    path("catalogue/export/coco/", exports.export_coco, name="export_coco"),
    path("catalogue/imports/", imports.show_imports, name="catalogue_imports"),
    path("catalogue/imports/<uuid:import_id>/", imports.show_import, name="catalogue_import"),
    path(
        "catalogue/imports/<uuid:import_id>/progress/",
        imports.show_import_progress,
        name="import_progress",
    ),
    path("catalogue/imports/<uuid:import_id>/check/", imports.check_import, name="check_import"),
    path("catalogue/imports/<uuid:import_id>/start/", imports.start_import, name="start_import"),
    path("catalogue/imports/<uuid:import_id>/cancel/", imports.cancel_import, name="cancel_import"),
    path(
        "catalogue/imports/<uuid:import_id>/problems/",
        imports.download_problems,
        name="import_problems",
    ),
    path("catalogue/<uuid:product_id>/", products.show_product, name="product"),
    path("catalogue/<uuid:product_id>/edit/", products.edit_product, name="edit_product"),
    path("catalogue/<uuid:product_id>/delete/", products.delete_product, name="delete_product"),
    path("catalogue/<uuid:product_id>/photos/", photos.add_photos, name="add_photos"),
    path(
        "catalogue/photos/<uuid:product_image_id>/remove/",
        photos.remove_photo,
        name="remove_product_photo",
    ),
    path(
        "catalogue/photos/<uuid:product_image_id>/fetch/",
        photos.fetch_photo_again,
        name="fetch_photo_again",
    ),
    path(
        "catalogue/duplicates/<uuid:duplicate_id>/merge/",
        photos.merge_duplicate,
        name="merge_duplicate",
    ),
    path(
        "catalogue/duplicates/<uuid:duplicate_id>/dismiss/",
        photos.dismiss_duplicate,
        name="dismiss_duplicate",
    ),
]
