"""Jobs are deferred here by name, so that services need not know the tasks that call them."""

from procrastinate.contrib.django import app

from retrieval.models import CatalogueImport, ProductImage

COMPARE_TASK = "retrieval.compare_photo"
FETCH_TASK = "retrieval.fetch_photo"
IMPORT_TASK = "retrieval.run_import"

# Behind every annotation: nobody looks at a page that waits for these.
BEHIND_ALL = -10


def defer_comparison(photo: ProductImage) -> None:
    """In the running transaction."""
    app.configure_task(COMPARE_TASK, allow_unknown=False, priority=BEHIND_ALL).defer(
        product_image_id=str(photo.id)
    )


def defer_fetch(photo: ProductImage) -> None:
    app.configure_task(FETCH_TASK, allow_unknown=False, priority=BEHIND_ALL).defer(
        product_image_id=str(photo.id)
    )


def defer_import(catalogue_import: CatalogueImport) -> None:
    """The next part of it; with a lock, so that parts don't run side by side."""
    app.configure_task(
        IMPORT_TASK, allow_unknown=False, lock=f"import.{catalogue_import.id}"
    ).defer(import_id=str(catalogue_import.id))
