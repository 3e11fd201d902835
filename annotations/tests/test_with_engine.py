"""The flow with the shipped model: upload, jobs process, engine, card."""

import subprocess
import sys
import time

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import make_member
from annotations import demo
from annotations.models import Annotation, Garment
from inference import client, taxonomy

SCRIPT = {"X-Requested-With": "XMLHttpRequest"}
START_S = 120


@pytest.fixture(scope="module")
def engine_url(tmp_path_factory):
    socket = tmp_path_factory.mktemp("engine") / "engine.sock"
    url = f"unix:{socket}"
    process = subprocess.Popen([sys.executable, "manage.py", "run_inference", "--url", url])
    try:
        wait_until_ready(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    socket = url.removeprefix("unix:")
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "The engine ended."
        if subprocess.run(["test", "-S", socket], check=False).returncode == 0:
            try:
                if client.Client(url).health().state == "ready":
                    return
            except client.Unavailable:
                pass
        time.sleep(0.1)
    raise TimeoutError("The engine did not get ready.")


@pytest.fixture
def engine(engine_url, settings):
    settings.INFERENCE_URL = engine_url


@pytest.mark.django_db(transaction=True)
def test_real_photos_end_with_boxes_categories_and_colours(engine, run_jobs):
    page = Client()
    page.force_login(make_member().user)
    for path in list(demo.list_photos())[:8]:
        file = SimpleUploadedFile(path.name, path.read_bytes())
        assert page.post("/annotate/upload/", {"photo": file}, headers=SCRIPT).status_code == 201

    run_jobs()

    annotations = Annotation.objects.all()
    assert {a.state for a in annotations} <= {"done", "abstained"}
    done = annotations.filter(state="done")
    assert done
    categories = {category.name for category in taxonomy.load().categories}
    for garment in Garment.objects.select_related("annotation__image"):
        image = garment.annotation.image
        assert garment.right <= image.width
        assert garment.bottom <= image.height
        assert garment.category in categories
        assert garment.colours.exists()
        assert garment.embedding is not None
    html = page.get(reverse("annotation", args=[done[0].id])).content.decode()
    assert '<g class="box object-' in html


@pytest.mark.django_db(transaction=True)
def test_a_crop_is_answered_in_the_photos_own_pixels(engine, run_jobs):
    page = Client()
    page.force_login(make_member().user)
    path = next(demo.list_photos())
    file = SimpleUploadedFile(path.name, path.read_bytes())
    page.post("/annotate/upload/", {"photo": file}, headers=SCRIPT)
    image = Annotation.objects.get().image
    box = {"left": 100, "top": 150, "right": 380, "bottom": 400}

    page.post(reverse("annotate_crop", args=[image.id]), box)
    run_jobs()

    crop = Annotation.objects.get(crop__isnull=False)
    assert crop.state in ("done", "abstained")
    for garment in crop.garments.all():
        assert 100 <= garment.left < garment.right <= 380
        assert 150 <= garment.top < garment.bottom <= 400
