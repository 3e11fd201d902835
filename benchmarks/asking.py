"""Asks an engine that others ask too."""

import time

from inference.client import Client, Overloaded
from inference.contract import AnnotationResult

_WAIT_S = 0.05


def annotate_patiently(client: Client, photo: bytes) -> AnnotationResult:
    """As soon as the engine takes the photo. Raises InvalidImage, Unavailable."""
    while True:
        try:
            return client.annotate(photo)
        except Overloaded:
            time.sleep(_WAIT_S)
