from django.urls import path

from retrieval.api import audits, compat, files, outfits, products, search

urlpatterns = [
    path("v1/products/", products.ProductsView.as_view(), name="api_products"),
    path("v1/products/bulk", products.BulkView.as_view(), name="api_products_bulk"),
    path("v1/products/<uuid:product_id>/", products.ProductView.as_view(), name="api_product"),
    path(
        "v1/products/<uuid:product_id>/audit",
        audits.ProductAuditView.as_view(),
        name="api_product_audit",
    ),
    path(
        "v1/products/<uuid:product_id>/goes-with",
        outfits.GoesWithView.as_view(),
        name="api_goes_with",
    ),
    path("v1/search/similar", search.SimilarView.as_view(), name="api_search_similar"),
    path("v1/search/text", search.TextView.as_view(), name="api_search_text"),
    path("v1/search/suggest", search.SuggestView.as_view(), name="api_search_suggest"),
    path("v1/imports/", files.ImportsView.as_view(), name="api_imports"),
    path("v1/imports/<uuid:import_id>/", files.ImportView.as_view(), name="api_import"),
    path(
        "v1/imports/<uuid:import_id>/start",
        files.ImportStartView.as_view(),
        name="api_import_start",
    ),
    path("v1/exports/csv", files.CsvExportView.as_view(), name="api_export_csv"),
    path("v1/exports/ndjson", files.NdjsonExportView.as_view(), name="api_export_ndjson"),
    path("v1/exports/coco", files.CocoExportView.as_view(), name="api_export_coco"),
    path("compat/retrieve", compat.OldRetrieveView.as_view(), name="api_compat_retrieve"),
]
