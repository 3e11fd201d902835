"""Jobs are deferred here by name, so that services need not know the tasks that call them."""

from procrastinate.contrib.django import app

from annotations.models import Annotation

ANNOTATE_TASK = "annotations.annotate"


def defer_annotation(annotation: Annotation) -> None:
    """Defer the annotation's job in the running transaction."""
    app.configure_task(ANNOTATE_TASK, allow_unknown=False, priority=int(annotation.priority)).defer(
        annotation_id=str(annotation.id)
    )
