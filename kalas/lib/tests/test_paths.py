from uuid import uuid4

import pytest
from django.urls import reverse, set_script_prefix

from kalas.lib.paths import build_path


@pytest.mark.parametrize("prefix", ["/", "/kalas/"])
def test_builds_what_django_does(prefix):
    set_script_prefix(prefix)
    try:
        for view, argument in (("api_image_file", uuid4()), ("shown_thumbnail", "a1-9~x_Y-z")):
            assert build_path(view, argument) == reverse(view, args=[argument])
    finally:
        set_script_prefix("/")
