"""`?wait=`: what the engine, the database and the queue have to do for one photo."""

import json
import sys
from datetime import timedelta
from threading import Barrier, Event, Thread

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from PIL import Image
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import DailyUsage
from accounts.tests.factories import make_key
from annotations import asking, engine, files, jobs, jpegs, photos, services, tasks
from annotations.models import Annotation, FashionImage, Review
from annotations.tests.factories import encode, make_photo_bytes, make_result
from inference import client
from inference.contract import ModelName

pytestmark = pytest.mark.django_db
PATH = "/api/v1/annotations/"
BUSY: tuple[int, object, dict[str, str]] = (503, {}, {"Retry-After": "1"})
# One of them, the hint to open pages, is PostgreSQL's NOTIFY; one asks what reviews decided.
MOST_QUERIES = 15


@pytest.fixture
def api(member):
    token = make_key(member=member).token
    return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"})


def post(api, data, *, wait=5, headers=None, **fields):
    upload = SimpleUploadedFile("shirt.png", data)
    return api.post(f"{PATH}?wait={wait}", {"image": upload, **fields}, headers=headers)


def test_a_photo_has_one_job_however_often_it_is_sent(api, fake_engine):
    data, fake_engine.answer = make_photo_bytes(), BUSY

    answers = [post(api, data).status_code for _ in range(5)]

    assert answers == [503] * 5
    assert Annotation.objects.count() == 1
    job = ProcrastinateJob.objects.get(task_name="annotations.annotate")
    assert job.status == "todo"
    assert job.scheduled_at is None or job.scheduled_at <= timezone.now()


def test_who_comes_again_while_its_job_runs_asks_no_engine(api, fake_engine):
    data, fake_engine.answer = make_photo_bytes(), BUSY
    post(api, data, wait=5)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    later = timezone.now() + timedelta(seconds=60)

    is_taken = jobs.take_turn(Annotation.objects.get().id, until=later, now=later)

    assert not is_taken


def test_a_sweep_takes_up_only_so_many(api, monkeypatch):
    monkeypatch.setattr(tasks, "annotate_now", lambda **asked: sys.exit())
    monkeypatch.setattr(jobs, "MOST_AT_ONCE", 2)
    for _ in range(3):
        with pytest.raises(SystemExit):
            post(api, make_photo_bytes(), wait=5)
    later = timezone.now() + timedelta(seconds=11)

    assert [jobs.take_up(now=later) for _ in range(3)] == [2, 1, 0]


def test_a_photo_whose_waiting_client_s_process_died_gets_a_job(api, monkeypatch):
    data = make_photo_bytes()
    monkeypatch.setattr(tasks, "annotate_now", lambda **asked: sys.exit())
    with pytest.raises(SystemExit):
        post(api, data, wait=5)
    later = timezone.now() + timedelta(seconds=11)

    too_early = jobs.take_up(now=timezone.now())
    jobs.take_up(now=later)
    jobs.take_up(now=later)

    assert too_early == 0
    assert ProcrastinateJob.objects.get(task_name="annotations.annotate").status == "todo"


def test_a_sweep_leaves_alone_whose_turn_was_taken_since_it_looked(api, monkeypatch):
    """The engine is asked by the client that came back, and by no job beside it."""
    monkeypatch.setattr(tasks, "annotate_now", lambda **asked: sys.exit())
    for _ in range(2):
        with pytest.raises(SystemExit):
            post(api, make_photo_bytes(), wait=5)
    later = timezone.now() + timedelta(seconds=11)
    first, second = Annotation.objects.order_by("awaited_until")
    until = later + timedelta(seconds=15)
    run_now = jobs._run_now

    def let_a_client_come(annotation):
        assert jobs.take_turn(second.id, until=until, now=later)
        run_now(annotation)

    monkeypatch.setattr(jobs, "_run_now", let_a_client_come)

    assert jobs.take_up(now=later) == 1
    job = ProcrastinateJob.objects.get(task_name="annotations.annotate")
    assert job.args == {"annotation_id": str(first.id)}
    second.refresh_from_db()
    assert second.awaited_until == until


def test_who_comes_after_a_process_died_asks_in_its_place(api, fake_engine, monkeypatch):
    data, annotate = make_photo_bytes(), tasks.annotate_now
    monkeypatch.setattr(tasks, "annotate_now", lambda **asked: sys.exit())
    with pytest.raises(SystemExit):
        post(api, data, wait=5)
    monkeypatch.setattr(tasks, "annotate_now", annotate)
    Annotation.objects.update(awaited_until=timezone.now())

    answer = post(api, data, wait=5)

    assert answer.status_code == 201
    assert Annotation.objects.count() == 1
    assert not ProcrastinateJob.objects.filter(task_name="annotations.annotate").exists()


def test_a_photo_that_was_given_up_has_one_job_again(api, member, fake_engine):
    fake_engine.answer = (422, {"code": "damaged", "detail": "Damaged."}, {})
    given_up = post(api, make_photo_bytes())
    assert given_up.json()["state"] == "failed"

    services.annotate_again(
        tenant=member.tenant,
        annotation_id=given_up.json()["id"],
        requested_by=member.user,
        now=timezone.now(),
    )

    job = ProcrastinateJob.objects.get(task_name="annotations.annotate")
    assert job.status == "todo"
    assert job.scheduled_at is None or job.scheduled_at <= timezone.now()


@pytest.mark.django_db(transaction=True)
def test_who_comes_while_another_waits_gets_the_same_answer(api, fake_engine, monkeypatch):
    """The engine is asked once, and the photo is counted once."""
    data, both_are_in = make_photo_bytes(), Barrier(2, timeout=20)
    annotate, answers = tasks.annotate_now, []

    def annotate_slowly(**asked):
        both_are_in.wait()
        return annotate(**asked)

    def come_second():
        both_are_in.wait()
        answers.append(post(api, data))
        connection.close()

    monkeypatch.setattr(tasks, "annotate_now", annotate_slowly)
    second = Thread(target=come_second)
    second.start()
    first = post(api, data, wait=20)
    second.join(20)

    assert [first.status_code, answers[0].status_code] == [201, 201]
    assert first.json() == answers[0].json()
    assert len(fake_engine.requests) == 1
    assert DailyUsage.objects.get().annotations == 1


@pytest.mark.django_db(transaction=True)
def test_twins_without_a_key_order_once(api, tenant):
    data, start = make_photo_bytes(), Barrier(4, timeout=20)
    services.store_photo(
        tenant=tenant,
        photo=photos.check_photo(data),
        name="shirt.png",
        uploaded_by=None,
        now=timezone.now(),
    )
    Annotation.objects.all().delete()

    def send():
        start.wait()
        post(api, data, wait=0)
        connection.close()

    threads = [Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert Annotation.objects.count() == 1
    assert DailyUsage.objects.get().annotations == 1


def test_a_photo_that_breaks_the_engine_is_given_up_for_those_who_wait_too(api, fake_engine):
    data, fake_engine.answer = make_photo_bytes(), (0, {}, {})

    answers = [post(api, data) for _ in range(tasks.MOST_FAULTS)]

    assert [answer.status_code for answer in answers] == [503] * 4 + [201]
    assert answers[-1].json()["state"] == "failed"
    assert len(fake_engine.requests) == tasks.MOST_FAULTS


def test_a_short_wait_blames_no_photo(api, fake_engine, monkeypatch):
    def take_too_long(self):
        raise client.Late("late")

    monkeypatch.setattr(client.SentPhoto, "read", take_too_long)

    for _ in range(tasks.MOST_FAULTS + 1):
        post(api, make_photo_bytes(), wait=0.1)

    assert set(Annotation.objects.values_list("state", "faults")) == {("pending", 0)}


def test_a_known_photo_is_not_decoded_again(api, fake_engine, monkeypatch):
    data = make_photo_bytes()
    first = post(api, data)
    monkeypatch.setattr(photos, "check_photo", lambda data, **options: 1 / 0)

    again = post(api, data)

    assert again.status_code == 201
    assert again.json() == first.json()


@pytest.mark.parametrize(
    ("model", "is_reviewed", "ids"),
    [
        (ModelName("kalas-mini", "1", "kalas-1"), False, 1),
        (ModelName("kalas-mini", "2", "kalas-1"), False, 2),
        (ModelName("kalas-mini", "2", "kalas-1"), True, 1),
        (None, False, 1),
    ],
)
def test_another_model_is_asked_about_a_known_photo(
    api, tenant, fake_engine, monkeypatch, model, is_reviewed, ids
):
    data = make_photo_bytes()
    first = post(api, data).json()["id"]
    if is_reviewed:
        Review.objects.create(tenant=tenant, annotation_id=first)
    monkeypatch.setattr(engine, "read_model", lambda **asked: model)

    assert len({first, post(api, data).json()["id"]}) == ids


def test_a_new_photo_is_not_read_back(api, fake_engine, monkeypatch):
    monkeypatch.setattr(files, "read_photo", lambda image: 1 / 0)

    assert post(api, make_photo_bytes()).status_code == 201


def test_a_photo_deleted_while_its_twin_is_ordered_is_stored_anew(api, tenant, monkeypatch):
    data = make_photo_bytes()
    post(api, data, wait=0)
    find = services.find_same_id

    def find_and_delete(**asked):
        image = find(**asked)
        FashionImage.objects.all().delete()
        return image

    monkeypatch.setattr(services, "find_same_id", find_and_delete)

    assert post(api, data, wait=0).status_code == 202
    assert Annotation.objects.count() == 1


def test_one_photo_takes_few_queries(api, fake_engine, member):
    post(api, make_photo_bytes())  # the key's use is noted once a minute

    with CaptureQueriesContext(connection) as queries:
        response = post(api, make_photo_bytes(), headers={"Idempotency-Key": "one"})

    asked = [each["sql"] for each in queries if "SAVEPOINT" not in each["sql"]]
    assert response.status_code == 201
    assert len(asked) <= MOST_QUERIES, "\n".join(asked)


def test_the_answer_is_what_is_read_later(api, fake_engine):
    response = post(api, make_photo_bytes(), product="A", crop="5,5,50,60")

    later = api.get(response["Location"])

    assert json.loads(response.content) == json.loads(later.content)


def test_the_engine_works_while_the_photo_is_being_stored(api, fake_engine, monkeypatch):
    data, asked, store = make_photo_bytes(), Event(), services.store_new_photo
    ask = asking.Question.ask

    def ask_and_tell(*args):
        ask(*args)
        asked.set()

    def store_once_asked(**fields):
        assert asked.is_set()
        return store(**fields)

    monkeypatch.setattr(asking.Question, "ask", ask_and_tell)
    monkeypatch.setattr(services, "store_new_photo", store_once_asked)

    assert post(api, data).status_code == 201
    assert len(fake_engine.requests) == 1


def test_nothing_is_stored_or_answered_for_a_photo_that_only_looks_whole(
    api, fake_engine, stored_files
):
    """The engine is asked while the photo is still being decoded."""
    data = encode(Image.effect_noise((300, 300), 80).convert("RGB"))
    table = data.index(b"\xff\xc4") + 5
    broken = data[:table] + b"\xff" * 16 + data[table + 16 :]

    answer = post(api, broken)

    assert jpegs.take_over(broken)
    assert (answer.status_code, answer.json()["reason"]) == (422, "damaged")
    assert not FashionImage.objects.exists()
    assert stored_files() == []
    assert post(api, data).status_code == 201


def test_the_engine_sees_what_is_stored(api, fake_engine):
    exif, seen = Image.Exif(), []
    exif[0x010F] = "Camera of Jane Doe"

    def answer(photo):
        seen.append(photo)
        return 200, make_result().to_json(), {}

    fake_engine.answer = answer

    post(api, encode(Image.effect_noise((90, 60), 80).convert("RGB"), exif=exif))

    assert seen == [files.read_photo(FashionImage.objects.get())]
    assert b"Jane" not in seen[0]


def test_a_shop_without_quota_left_asks_no_engine(api, tenant, fake_engine):
    tenant.monthly_quota = 0
    tenant.save()

    answer = post(api, make_photo_bytes())

    assert answer.status_code == 429
    assert fake_engine.requests == []
    assert not FashionImage.objects.exists()
