"""Nothing that a store did not tell is lost."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from integrations.models import Store, StoreProduct
from integrations.stores import platforms, polling, services, troubles
from integrations.stores.failures import StoreFailed
from integrations.stores.tasks import tell_problem
from integrations.stores.tests.factories import (
    add_product,
    annotate,
    drop_jobs,
    get_row,
    later,
    list_run,
    poll,
    read,
    tell,
    work,
    write,
)
from integrations.woocommerce import simulator
from integrations.woocommerce.simulator import paging, rest

pytestmark = pytest.mark.django_db


def test_finds_what_nobody_told(shop, store):
    number = add_product(shop)

    poll(store)
    read(store)
    annotate(store)
    write(store)

    assert get_row(store, number).state == "written"


def test_asks_for_nothing_twice(shop, store):
    number = add_product(shop)
    work(store, number)
    poll(store)
    shop.requests.clear()

    poll(store)
    read(store)

    assert f"GET products/{number}" not in shop.requests


def test_finds_what_changed_since(shop, store):
    number = add_product(shop)
    work(store, number)
    poll(store)
    shop.edit(number, name="Winter shirt")

    poll(store)
    read(store)

    assert get_row(store, number).product.title == "Winter shirt"


def test_finds_what_was_deleted_for_good(shop, store):
    number = add_product(shop)
    work(store, number)
    poll(store)
    shop.delete_for_good(number)

    poll(store)
    read(store)
    assert get_row(store, number).state != "gone"

    poll(store, now=later(days=1))
    read(store, now=later(days=1))
    assert get_row(store, number).state == "gone"


def test_finds_an_edit_in_the_second_of_our_reading(shop, store):
    number = add_product(shop)
    work(store, number)
    modified = shop.products[number]["modified"]
    shop.edit(number, name="Winter shirt")
    shop.products[number]["modified"] = modified

    poll(store)
    read(store)

    assert get_row(store, number).product.title == "Winter shirt"


def test_skips_nothing_when_a_product_goes_while_it_turns_the_pages(shop, store):
    numbers = [shop.add_product(f"Nothing to see {n}") for n in range(120)]
    connection = platforms.open_connection(store)
    first = connection.list_products()
    for number in numbers[:5]:
        shop.trash(number)

    seen, cursor = [each.id for each in first.products], first.cursor
    while cursor:
        page = connection.list_products(cursor=cursor)
        seen, cursor = [*seen, *(each.id for each in page.products)], page.cursor

    assert seen == [str(number) for number in numbers]


def count_pages(shop):
    return shop.requests.count("GET products")


def test_goes_on_where_it_was_stopped(shop, store, monkeypatch):
    """Killed between two pages, or refused: nothing is left out, and no page read twice."""
    Store.objects.update(compared_at=timezone.now())
    numbers = [shop.add_product(f"Nothing to see {n}") for n in range(120)]
    answer = shop.answer
    shop.requests.clear()

    def die(method, path, params, body):
        if count_pages(shop) == 2:
            raise simulator.Refused(503, "busy", "Not now.")
        return answer(method, path, params, body)

    monkeypatch.setattr(shop, "answer", die)
    poll(store)
    store.refresh_from_db()
    assert store.polled_at is None
    assert store.poll_cursor
    known = store.products.count()
    assert 0 < known < 120
    late = shop.add_product("Added meanwhile")
    monkeypatch.setattr(shop, "answer", answer)
    shop.requests.clear()
    first_again = str(numbers[0])
    StoreProduct.objects.filter(external_id=first_again).update(hints=0)

    poll(store, now=later(minutes=10))

    store.refresh_from_db()
    assert (store.poll_cursor, store.poll_began_at) == ("", None)
    found = set(store.products.values_list("external_id", flat=True))
    assert found == {str(each) for each in (*numbers, late)}
    assert count_pages(shop) == 2  # of three
    assert StoreProduct.objects.get(external_id=first_again).hints == 0
    # What changed while it was read comes the next time.
    assert store.modified_after < timezone.now()


def test_what_takes_long_is_read_on_after_others_had_their_turn(shop, store, monkeypatch):
    for number in range(120):
        shop.add_product(f"Nothing to see {number}")
    clock = iter(range(10**6))
    monkeypatch.setattr(polling, "LONGEST_S", 1.5)
    monkeypatch.setattr("integrations.stores.polling.time.monotonic", lambda: next(clock))

    for _time in range(4):
        poll(store)
        store.refresh_from_db()

    assert store.products.count() == 120
    assert store.polled_at is not None
    assert store.failures == 0


def test_an_old_place_is_not_gone_on_with(shop, store):
    number = add_product(shop)
    Store.objects.update(poll_cursor="5000:99999", poll_began_at=later(hours=-7))

    poll(store)

    assert get_row(store, number)


def test_a_list_without_an_end_is_left_at_its_first_empty_page(shop, store, monkeypatch):
    add_product(shop)
    cut_page = paging.cut_page

    def promise(rows, params):
        found, headers = cut_page(rows, params)
        return found, {**headers, "X-WP-Total": 10**9, "X-WP-TotalPages": 10**9}

    monkeypatch.setattr(rest, "cut_page", promise)

    poll(store)

    assert len(shop.requests) < 30
    store.refresh_from_db()
    assert store.polled_at is not None


def test_makes_webhooks_anew_that_were_switched_off_and_tells_the_owners(shop, store, mailoutbox):
    victim = next(iter(shop.webhooks.values()))
    victim.status, victim.failures = "disabled", 7

    poll(store)

    store.refresh_from_db()
    assert victim.id not in shop.webhooks
    assert len(shop.webhooks) == 4
    assert {each.status for each in shop.webhooks.values()} == {"active"}
    assert store.is_active
    assert "switched its webhooks off" in store.problem_text
    tell_problem(store_id=str(store.id))
    assert len(mailoutbox) == 1

    poll(store)
    store.refresh_from_db()
    assert store.problem == ""


def test_removes_webhooks_that_are_there_twice(shop, store):
    twin = next(iter(shop.webhooks.values()))
    with shop.lock:
        shop._make_webhook({"topic": twin.topic, "delivery_url": twin.delivery_url, "secret": "x"})

    poll(store)

    assert len(shop.webhooks) == 4


def test_leaves_webhooks_of_others_alone(shop, store):
    with shop.lock:
        made = shop._make_webhook(
            {"topic": "product.updated", "delivery_url": "https://other.example/", "secret": "x"}
        )

    poll(store)

    assert made["id"] in shop.webhooks


def test_leaves_a_store_alone_that_is_down(shop, store):
    shop.choose_fault = lambda _request: "500"

    poll(store)

    store.refresh_from_db()
    assert store.failures == 1
    assert store.is_quiet(timezone.now())
    assert store.is_active
    shop.requests.clear()
    poll(store)
    assert shop.requests == []


def test_a_store_that_redirects_for_a_while_is_not_broken(shop, store):
    shop.choose_fault = lambda _request: "302"

    poll(store)
    store.refresh_from_db()
    assert store.is_active

    for hours in range(1, 30):
        poll(store, now=later(hours=hours))
    store.refresh_from_db()
    assert (store.state, store.problem) == ("broken", "moved")


def test_a_success_does_not_end_a_pause_that_another_lane_was_asked_for(store):
    now = timezone.now()
    Store.objects.update(failures=1, quiet_until=now)
    store.refresh_from_db()
    other = Store.objects.get(id=store.id)
    troubles.note_failure(other, StoreFailed("busy", retry_after=timedelta(hours=1)), now=now)

    troubles.note_success(store, now=now)

    store.refresh_from_db()
    assert (store.failures, store.is_quiet(now)) == (2, True)


def test_failures_of_several_lanes_are_all_counted(store):
    lanes = [Store.objects.get(id=store.id) for _ in range(3)]
    for each in lanes:
        troubles.note_failure(each, StoreFailed("busy"), now=timezone.now())

    store.refresh_from_db()
    assert store.failures == 3


def test_wakes_every_store_that_is_connected(shop, store):
    drop_jobs()

    polling.wake_all(now=timezone.now())

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'stores.poll_store'"
        )
        assert cursor.fetchone() == (1,)


def start(store, member, *, preview):
    return services.start_run(
        tenant=store.tenant, by=member, store_id=store.id, preview=preview, now=timezone.now()
    )


def work_off(store):
    for _time in range(4):
        list_run(store)
        read(store)
        annotate(store)
        write(store)


def test_a_preview_writes_nothing_and_says_how_many_products_would_change(shop, store, member):
    numbers = [add_product(shop, f"Shirt {n}") for n in range(3)]
    run = start(store, member, preview=True)

    work_off(store)

    run.refresh_from_db()
    assert (run.state, run.total) == ("done", 3)
    assert run.write_backs.filter(state="suggested").count() == 3
    assert all(shop.names_of(number, "tags") == [] for number in numbers)

    services.write_suggestions(
        tenant=store.tenant, by=member, store_id=store.id, now=timezone.now()
    )
    write(store)
    assert all(len(shop.names_of(number, "tags")) == 4 for number in numbers)

    services.undo(
        tenant=store.tenant, by=member, store_id=store.id, run_id=run.id, now=timezone.now()
    )
    write(store)
    assert all(shop.names_of(number, "tags") == [] for number in numbers)


def test_a_run_reads_all_pages(shop, store, member):
    for n in range(120):
        shop.add_product(f"Nothing to see {n}")
    run = start(store, member, preview=False)

    work_off(store)

    run.refresh_from_db()
    assert (run.state, run.products.count()) == ("done", 120)


def test_a_run_can_be_paused_and_goes_on(shop, store, member):
    add_product(shop)
    run = start(store, member, preview=False)
    list_run(store)
    set_state(store, member, "paused")

    read(store)
    assert run.products.filter(state="waiting").count() == 1

    set_state(store, member, "running")
    work_off(store)
    run.refresh_from_db()
    assert run.state == "done"


def test_a_run_can_be_stopped(shop, store, member):
    add_product(shop)
    run = start(store, member, preview=False)
    list_run(store)

    set_state(store, member, "cancelled")
    read(store)

    run.refresh_from_db()
    assert run.state == "cancelled"
    assert StoreProduct.objects.filter(state="waiting", read_due_at=None).count() == 1


@pytest.mark.parametrize("state", ["cancelled", "paused"])
def test_what_the_store_told_is_read_whatever_becomes_of_the_run(shop, store, member, state):
    number, _other = add_product(shop), add_product(shop)
    tell(store, number)
    start(store, member, preview=False)
    list_run(store)

    set_state(store, member, state)
    read(store)

    assert get_row(store, number).state == "annotating"


def test_there_is_one_run_at_a_time(shop, store, member):
    start(store, member, preview=True)

    with pytest.raises(services.RunGoesOn):
        start(store, member, preview=False)


def test_what_the_store_tells_goes_before_a_run(shop, store, member):
    """In one lane."""
    numbers = [add_product(shop) for _ in range(9)]
    start(store, member, preview=True)
    list_run(store)
    Store.objects.update(mode="suggest")
    StoreProduct.objects.update(lane=0)
    tell(store, numbers[-1])
    shop.requests.clear()
    read(store)

    assert shop.requests[0] == f"GET products/{numbers[-1]}"


def set_state(store, member, state):
    services.set_run_state(
        tenant=store.tenant, by=member, store_id=store.id, state=state, now=timezone.now()
    )
