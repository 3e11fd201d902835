"""Waiting for an annotation, by doing its job at once."""

import time
from uuid import UUID

from annotations import jobs, tasks
from annotations.models import Annotation
from inference import client


class EngineBusy(Exception):
    """The annotation stays in line; asking again later costs nothing more."""

    def __init__(self, annotation_id: UUID, retry_after_s: int) -> None:
        super().__init__(f"Annotation {annotation_id} waits in line.")
        self.annotation_id = annotation_id
        self.retry_after_s = retry_after_s


def wait_for(*, annotation: Annotation, wait_s: float) -> None:
    """Ask the engine at once, and give up waiting after `wait_s`; raises EngineBusy."""
    started = time.monotonic()
    while annotation.is_pending and (left_s := wait_s - (time.monotonic() - started)) > 0:
        try:
            tasks.annotate_now(annotation_id=annotation.id, timeout_s=left_s)
        except client.Overloaded as error:
            jobs.defer_annotation(annotation)
            raise EngineBusy(annotation.id, max(1, round(error.retry_after))) from error
        except tasks.AWAY as error:
            jobs.defer_annotation(annotation)
            if time.monotonic() - started >= wait_s:
                return  # the engine works on it, only slowly
            raise EngineBusy(annotation.id, 2) from error
        annotation.refresh_from_db(fields=["state"])
