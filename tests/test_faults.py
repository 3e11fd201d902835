"""kill -9 of every process while 200 photos are on their way: each ends annotated once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.running_house import DEMO_EMAIL, House, log_in, run_house

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

DEMO_PHOTOS = Path(__file__).resolve().parent.parent / "annotations" / "demo_photos"
PHOTOS = 200
DONE = "SELECT count(*) FROM annotations_annotation WHERE state IN ('done', 'abstained')"
PENDING = "SELECT count(*) FROM annotations_annotation WHERE state = 'pending'"
ALL = "SELECT count(*) FROM annotations_annotation"
ENGINE, JOBS, POSTGRES, WEB = "run_inference", "run_jobs", "postgres -D", "daphne"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with run_house(demo=True) as running:
        yield running


def test_every_photo_ends_annotated_once_whatever_is_killed(house: House):
    demo = house.count(ALL)
    photos = make_photos(PHOTOS - demo)
    house.kill(ENGINE)
    with (
        log_in(house, email=DEMO_EMAIL, password=house.demo_password()) as session,
        ThreadPoolExecutor(4) as pool,
    ):
        codes = list(pool.map(lambda photo: upload(session, *photo), photos))
    assert codes == [201] * len(photos)
    for number, part in enumerate((ENGINE, JOBS, POSTGRES, ENGINE, JOBS)):
        wait_for_progress(house, at_least=(number + 1) * 15)
        killed = house.kill(part)
        house.wait_until(
            partial(has_new_process, house, part, killed), timeout_s=90, what=f"{part} runs again"
        )

    house.wait_until(lambda: house.count(PENDING) == 0, timeout_s=300, what="none is waiting")

    states = dict(house.query("SELECT state, count(*) FROM annotations_annotation GROUP BY 1"))
    assert set(states) <= {"done", "abstained"}
    per_image = house.query(
        "SELECT count(a.id) FROM annotations_fashionimage i"
        " LEFT JOIN annotations_annotation a ON a.image_id = i.id GROUP BY i.id"
    )
    assert per_image == [(1,)] * PHOTOS
    twice = house.query(
        'SELECT annotation_id FROM annotations_garment GROUP BY annotation_id, "left", "top",'
        ' "right", "bottom" HAVING count(*) > 1'
    )
    assert twice == []
    assert stored_files(house) == named_files(house)


def test_the_web_process_comes_back_and_keeps_who_is_logged_in(house: House):
    with log_in(house, email=DEMO_EMAIL, password=house.demo_password()) as session:
        killed = house.kill(WEB)

        house.wait_until(
            lambda: has_new_process(house, WEB, killed) and house.is_ready(),
            timeout_s=60,
            what="the web process answers again",
        )
        assert session.get("/dashboard/", follow_redirects=False).status_code == 200


def make_photos(count: int) -> list[tuple[str, bytes]]:
    """Real photos, each differing from the others by its crop."""
    sources = sorted(DEMO_PHOTOS.glob("*.jpg"))
    photos = []
    for number in range(count):
        path = sources[number % len(sources)]
        with Image.open(path) as image:
            cropped = image.crop((2 + number // len(sources), 2, image.width, image.height))
        buffer = BytesIO()
        cropped.save(buffer, "JPEG", quality=90)
        photos.append((f"{number}-{path.name}", buffer.getvalue()))
    return photos


def upload(session: httpx.Client, name: str, data: bytes) -> int:
    answer = session.post(
        "/annotate/upload/",
        files={"photo": (name, data, "image/jpeg")},
        headers={"Referer": str(session.base_url), "X-Requested-With": "XMLHttpRequest"},
    )
    return answer.status_code


def wait_for_progress(house: House, *, at_least: int) -> None:
    house.wait_until(
        lambda: house.count(DONE) >= at_least, timeout_s=120, what=f"{at_least} are annotated"
    )


def has_new_process(house: House, part: str, killed: int) -> bool:
    try:
        return bool(house.find(part).pid != killed)
    except LookupError:
        return False


def named_files(house: House) -> set[str]:
    rows = house.query("SELECT file, thumbnail FROM annotations_fashionimage")
    return {name for row in rows for name in row}


def stored_files(house: House) -> set[str]:
    media = house.var / "media"
    return {str(path.relative_to(media)) for path in media.rglob("*") if path.is_file()}
