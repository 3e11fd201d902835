"""docs/examples/custom_shop.py against the live server: the whole loop."""

import os
import subprocess
import sys
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.tests.factories import make_member
from annotations.tests.conftest import fake_engine, media, run_jobs
from annotations.tests.factories import make_photo_bytes
from integrations import endpoints
from integrations.models import StoreProduct
from integrations.stores import connecting
from tests.running_house import find_free_port

__all__ = ["fake_engine", "media", "run_jobs"]

pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLE = settings.BASE_DIR / "docs" / "examples" / "custom_shop.py"


@pytest.fixture
def photo_url():
    photo = make_photo_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(photo)))
            self.end_headers()
            self.wfile.write(photo)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    yield f"http://127.0.0.1:{server.server_port}/front.png"
    server.shutdown()
    server.server_close()


def test_the_example_gets_its_words(live_server, fake_engine, run_jobs, photo_url, settings):
    port = find_free_port()
    settings.OUTBOUND_NETWORKS = ["127.0.0.1/32"]
    settings.OUTBOUND_PORTS = [80, port, int(photo_url.split(":")[2].partition("/")[0])]
    by = make_member()
    store, secret = connecting.add_custom(tenant=by.tenant, by=by, name="Ours", now=timezone.now())
    _endpoint, result_secret = endpoints.create_endpoint(
        tenant=by.tenant,
        by=by,
        name="",
        url=f"http://127.0.0.1:{port}/",
        events=["product.annotated"],
        now=timezone.now(),
    )
    environment = {
        **os.environ,
        "KALAS_HOOK": f"{live_server.url}/hooks/stores/{store.id}/",
        "KALAS_SECRET": secret,
        "RESULT_SECRET": result_secret,
        "PHOTO_URL": photo_url,
    }
    shop = subprocess.Popen(
        [sys.executable, str(EXAMPLE), str(port)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for_a_product(store)
        for _stage in ("read", "annotated", "written", "told"):
            run_jobs()  # ends when the queue is empty, whatever the last jobs may still defer
    finally:
        shop.kill()
        line, said = shop.communicate()

    assert '"tags": ["Sale", "T-shirt", "Navy blue", "White", "Striped"]' in line, said
    assert '"Pattern": ["Striped"]' in line
    assert StoreProduct.objects.get().state == "written"


def wait_for_a_product(store):
    deadline = timezone.now() + timedelta(seconds=30)
    while not StoreProduct.objects.filter(store=store).exists():
        assert timezone.now() < deadline
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.05)")


def test_the_example_is_short():
    lines = EXAMPLE.read_text().splitlines()
    assert len(lines) <= 32
    assert sum(bool(line.strip()) for line in lines) <= 30
    assert max(map(len, lines)) <= 120
