"""The examples of docs/how-to/use-the-api.md do what they say."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from django.conf import settings

from accounts.models import Scope
from accounts.tests.factories import make_key
from annotations.models import Annotation
from annotations.tests.conftest import fake_engine, media
from annotations.tests.factories import make_photo_bytes

__all__ = ["fake_engine", "media"]

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = settings.BASE_DIR / "docs" / "how-to" / "use-the-api.md"
PROGRAMS = {
    "bash": ("curl", ["bash"], "example.sh"),
    "python": ("", [sys.executable], "example.py"),
    "javascript": ("node", ["node"], "example.mjs"),
    "php": ("php", ["php"], "example.php"),
}


@pytest.mark.parametrize("language", PROGRAMS)
def test_prints_what_was_found(live_server, fake_engine, tmp_path, language):
    needed, command, name = PROGRAMS[language]
    if needed and shutil.which(needed) is None:
        pytest.skip(f"{needed} is missing")
    page = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    (tmp_path / name).write_text(code, encoding="utf-8")
    (tmp_path / "shirt.jpg").write_bytes(make_photo_bytes(format="JPEG"))
    key = make_key(scopes=[Scope.ANNOTATE]).token
    environment = {**os.environ, "KALAS_URL": live_server.url, "KALAS_KEY": key}

    done = subprocess.run(
        [*command, name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "t-shirt" in done.stdout, done.stderr
    assert "0.93" in done.stdout
    assert Annotation.objects.get().product == "SKU-4711"
