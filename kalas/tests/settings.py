"""Settings of the test session: a data folder and a database of its own."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# Read by kalas.settings below, and inherited by the processes that tests start.
if "KALAS_TEST_VAR" not in os.environ:
    _folder = Path(tempfile.mkdtemp(prefix="kalas-test-", dir="/tmp"))
    _folder.chmod(0o711)
    os.environ["KALAS_TEST_VAR"] = str(_folder)
    os.environ["KALAS_TEST_VAR_IS_TEMPORARY"] = "1"
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
# Of processes that share the tests each has its own, inside the session's.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    _own = Path(os.environ["KALAS_TEST_VAR"])
    if _own.name != worker:
        _own /= worker
        _own.mkdir(exist_ok=True)
        _own.chmod(0o711)
        os.environ["KALAS_TEST_VAR"] = str(_own)
os.environ["KALAS_VAR"] = os.environ["KALAS_TEST_VAR"]

from kalas.settings import *  # noqa: F403
from kalas.settings import DATABASES, STORAGES

for _database in DATABASES.values():
    _database["NAME"] = "test_kalas"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
# What a test changes holds at once.
API_KEY_REMEMBER_S = 0.0
# Static files come straight from the apps' folders; nothing is collected for a test.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
