"""The review page in Chromium, under the strict policy of the real pages."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.core.cache import cache
from django.db import connections
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import Membership, Role
from accounts.tests.factories import PASSWORD, make_member
from annotations.models import Annotation, ReviewTask
from annotations.reviewing.services import Reviewer, review_annotation
from annotations.tests.factories import make_done_annotation, make_result
from tests.chromium import run_chromium

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def member() -> Membership:
    cache.clear()
    return make_member()


@pytest.fixture
def waiting(member: Membership) -> list[Annotation]:
    """The first is the least sure one."""
    return [
        make_done_annotation(
            tenant=member.tenant,
            name=f"photo-{number}.png",
            result=make_result(confidence=0.2 + number / 20),
        )
        for number in range(4)
    ]


@pytest.fixture
def context(live_server: Any, waiting: list[Annotation]) -> Iterator[BrowserContext]:
    """The rows are made before: the database is out of reach while Chromium runs."""
    with run_chromium() as browser:
        address = f"http://localhost:{live_server.thread.port}"
        context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 800})
        context.set_default_timeout(10_000)
        yield context


@pytest.fixture
def page(context: BrowserContext, member: Membership) -> Iterator[Page]:
    complaints: list[str] = []
    page = log_in(context, member)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text))
    open_queue(page)
    yield page
    assert [text for text in complaints if "Policy" in text or "TypeError" in text] == []


def log_in(context: BrowserContext, member: Membership) -> Page:
    page = context.new_page()
    page.goto(f"{reverse('account_login')}?next={reverse('profile')}")
    page.locator("[name=login]").fill(member.user.email)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    page.wait_for_url(f"**{reverse('profile')}**")
    return page


def open_queue(page: Page) -> None:
    page.goto(reverse("review"))
    expect(page.locator("[data-work]")).to_be_visible()


def expect_photo(page: Page, annotation: Annotation) -> None:
    expect(page.locator("kalas-review")).to_have_attribute("data-item", str(annotation.id))


def settle(page: Page) -> None:
    """Until everything has arrived."""
    page.wait_for_function("() => document.querySelector('kalas-review').outbox?.size === 0")


def test_one_key_accepts_two_keys_change(page, waiting, member):
    expect_photo(page, waiting[0])
    page.keyboard.press("Enter")
    expect_photo(page, waiting[1])
    page.keyboard.press("1")
    page.keyboard.press("2")
    expect(page.locator("[data-accept-text]")).to_have_text("Save")
    page.keyboard.press("Enter")
    expect_photo(page, waiting[2])
    page.keyboard.press("n")
    expect_photo(page, waiting[3])
    settle(page)
    expect(page.locator("[data-count=waiting]")).to_have_text("1")
    expect(page.locator("[data-count=done]")).to_have_text("3")


def test_finds_a_value_by_typing(page, waiting):
    page.keyboard.press("/")
    page.keyboard.type("dres")
    page.keyboard.press("Enter")

    expect(page.locator("[data-field=category]")).to_contain_text("Dress")
    page.keyboard.press("r")
    expect(page.locator("[data-field=category]")).to_contain_text("T-shirt")


def test_the_panel_follows_the_rules_of_the_category(page, waiting):
    expect(page.locator("[data-field=sleeve-length]")).to_be_visible()

    page.keyboard.press("/")
    page.keyboard.type("jeans")
    page.keyboard.press("Enter")

    expect(page.locator("[data-field=sleeve-length]")).to_have_count(0)
    expect(page.locator("[data-field=rise]")).to_be_visible()


def test_undoes_also_after_a_reload(page, waiting):
    page.keyboard.press("n")
    expect_photo(page, waiting[1])
    settle(page)
    page.reload()
    expect_photo(page, waiting[1])

    page.keyboard.press("u")

    expect_photo(page, waiting[0])
    expect(page.locator("[data-field=category]")).to_contain_text("T-shirt")
    expect(page.locator("[data-count=waiting]")).to_have_text("4")


def test_a_lost_connection_loses_nothing_and_sends_once(page, waiting):
    page.wait_for_timeout(500)  # the next photos are there
    page.context.set_offline(True)
    page.keyboard.press("n")
    expect_photo(page, waiting[1])
    page.keyboard.press("b")
    expect_photo(page, waiting[2])
    expect(page.locator("[data-notice]")).to_contain_text("No connection")
    expect(page.locator("[data-sending] b")).to_have_text("2")

    page.context.set_offline(False)

    expect(page.locator("[data-sending]")).to_be_hidden()
    expect(page.locator("[data-notice]")).to_be_hidden()
    expect(page.locator("[data-count=waiting]")).to_have_text("2")
    expect(page.locator("[data-count=done]")).to_have_text("2")


def test_what_was_not_sent_is_sent_by_the_next_page(page, waiting):
    page.wait_for_timeout(500)
    page.route("**/save/", lambda route: route.abort())
    page.keyboard.press("n")
    expect(page.locator("[data-notice]")).to_contain_text("No connection")
    page.unroute("**/save/")

    page.reload()

    expect(page.locator("[data-count=waiting]")).to_have_text("3")
    expect_photo(page, waiting[1])


def test_typed_and_not_saved_is_there_after_a_reload(page, waiting):
    page.keyboard.press("1")
    page.keyboard.press("2")
    page.keyboard.press("m")
    page.keyboard.type("It has no sleeves, no?")
    page.reload()

    expect(page.locator("[data-accept-text]")).to_have_text("Save")
    expect(page.locator("#review-comment")).to_have_value("It has no sleeves, no?")


def test_draws_a_garment_and_moves_its_box(page, waiting):
    page.keyboard.press("a")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Enter")

    expect(page.locator(".review-folded")).to_have_count(1)
    expect(page.locator("svg[data-boxes] g.box")).to_have_count(2)
    page.keyboard.press("x")
    expect(page.locator("svg[data-boxes] g.box")).to_have_count(1)


def test_a_key_can_be_changed(page, waiting):
    page.keyboard.press("?")
    page.locator("[data-remap=skip]").click()
    page.keyboard.press("k")
    page.keyboard.press("Escape")
    page.reload()
    expect(page.locator("[data-action=skip]")).to_contain_text("K")

    page.keyboard.press("k")

    expect_photo(page, waiting[1])


def test_whoever_comes_second_keeps_what_they_typed(page, waiting, member):
    """Somebody else reviews the photo by another way while it is open here."""
    page.keyboard.press("1")
    page.keyboard.press("3")
    mine = page.locator("[data-field=category] .review-field-value").inner_text()
    say_elsewhere(waiting[0])
    page.keyboard.press("Enter")

    # What is being looked at keeps its place; what came back is next, to be looked at first.
    expect_photo(page, waiting[1])
    settle(page)
    page.keyboard.press("Enter")
    expect_photo(page, waiting[0])
    expect(page.locator("[data-notice]")).to_contain_text("has reviewed this photo meanwhile")
    expect(page.locator("[data-field=category]")).to_contain_text(mine)
    expect(page.locator("[data-accept-text]")).to_have_text("Save")
    page.keyboard.press("Enter")
    expect_photo(page, waiting[0])
    page.keyboard.press("Enter")
    expect_photo(page, waiting[2])
    settle(page)
    expect(page.locator("[data-notice]")).to_be_hidden()


def test_of_two_who_type_on_one_photo_one_wins_and_the_other_loses_nothing(
    context, member, waiting
):
    """The first one's computer slept until the claim had run out; somebody else got the photo."""
    colleague = do_elsewhere(lambda: make_member(tenant=member.tenant, role=Role.REVIEWER))
    first = log_in(context, member)
    open_queue(first)
    expect_photo(first, waiting[0])
    first.keyboard.press("1")
    first.keyboard.press("3")
    first.keyboard.press("m")
    first.keyboard.type("The label says so")
    mine = first.locator("[data-field=category] .review-field-value").inner_text()
    do_elsewhere(lambda: ReviewTask.objects.update(claimed_until=timezone.now()))
    browser = context.browser
    assert browser
    base = first.url.partition("/review")[0]
    second = log_in(browser.new_context(base_url=base), colleague)
    open_queue(second)
    expect_photo(second, waiting[0])
    second.keyboard.press("1")
    second.keyboard.press("2")
    theirs = second.locator("[data-field=category] .review-field-value").inner_text()

    second.keyboard.press("Enter")
    settle(second)
    first.locator("[data-action=accept]").click()

    settle(first)
    assert mine != theirs
    assert do_elsewhere(lambda: waiting[0].garments.get().category) != "t-shirt"
    expect(first.locator("kalas-review")).not_to_have_attribute("data-item", str(waiting[0].id))
    first.keyboard.press("Enter")
    expect_photo(first, waiting[0])
    expect(first.locator("[data-notice]")).to_contain_text("has reviewed this photo meanwhile")
    expect(first.locator("[data-field=category]")).to_contain_text(mine)
    expect(first.locator("#review-comment")).to_have_value("The label says so")
    first.keyboard.press("Enter")
    first.keyboard.press("Enter")
    settle(first)
    reviews = do_elsewhere(lambda: list(waiting[0].reviews.order_by("version")))
    assert [each.reviewer_id for each in reviews] == [colleague.user_id, member.user_id]
    assert reviews[1].comment == "The label says so"
    assert reviews[1].changes[0]["from"] == reviews[0].changes[0]["to"]


def test_an_open_page_says_that_it_is_still_there(page, waiting):
    page.clock.install()
    page.reload()
    expect_photo(page, waiting[0])
    do_elsewhere(lambda: ReviewTask.objects.update(claimed_until=timezone.now()))

    with page.expect_response("**/review/keep/"):
        page.clock.run_for(121_000)

    tasks = do_elsewhere(
        lambda: ReviewTask.objects.filter(claimed_until__gt=timezone.now()).count()
    )
    assert tasks == 4


def do_elsewhere(work: Callable[[], Any]) -> Any:
    """In a thread of its own: in this one Playwright's loop runs."""

    def run() -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def say_elsewhere(annotation: Annotation) -> None:
    def work() -> None:
        other = make_member(tenant=annotation.tenant, role=Role.REVIEWER, name="Ayşe")
        review_annotation(
            tenant=annotation.tenant,
            annotation_id=UUID(str(annotation.id)),
            by=Reviewer(user=other.user),
            now=timezone.now(),
        )

    do_elsewhere(work)


def test_works_by_touch_on_a_phone(context, member, waiting):
    page = log_in(context, member)
    page.set_viewport_size({"width": 360, "height": 740})
    open_queue(page)

    page.locator("[data-field=pattern]").click()
    page.get_by_role("button", name="Checked").click()
    page.locator("[data-action=accept]").click()

    expect_photo(page, waiting[1])
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


class TestGrid:
    @pytest.fixture
    def grid(self, page) -> Page:
        page.goto(f"{reverse('review_grid')}?value=category:t-shirt")
        grid: Page = page
        return grid

    def test_is_chosen_by_keyboard_and_previewed(self, grid, waiting):
        grid.locator("input[name=item]").first.focus()
        grid.keyboard.press("Space")
        grid.keyboard.press("Shift+ArrowRight")
        expect(grid.locator("[data-chosen] b")).to_have_text("2")
        grid.locator("select[name=set]").select_option("category:dress")
        grid.locator("[data-go]").click()

        dialog = grid.locator("dialog[open]")
        expect(dialog).to_contain_text("2 photos change")
        dialog.get_by_role("button", name="Review 2 photos").click()
        expect(grid.locator(".messages")).to_contain_text("2 photos were reviewed.")

    def test_is_chosen_by_shift_and_by_a_frame(self, grid, waiting):
        items = grid.locator(".grid-item label")
        items.nth(0).click()
        items.nth(2).click(modifiers=["Shift"])
        expect(grid.locator("[data-chosen] b")).to_have_text("3")
        grid.locator("[data-all]").check()
        expect(grid.locator("[data-chosen] b")).to_have_text("4")
        grid.locator("[data-all]").uncheck()

        first, second = (items.nth(number).bounding_box() for number in (0, 1))
        grid.mouse.move(first["x"] + 20, first["y"] + 40)
        grid.mouse.down()
        grid.mouse.move(second["x"] + 40, second["y"] + 80, steps=5)
        grid.mouse.up()
        expect(grid.locator("[data-chosen] b")).to_have_text("2")


def test_the_planner_moves_with_its_slider(page, waiting):
    page.goto(reverse("review_quality"))
    expect(page.locator("[data-review]")).to_have_text("4")

    page.locator("input[type=range]").fill("0")

    expect(page.locator("[data-review]")).to_have_text("0")
    expect(page.locator("[data-published]")).to_have_text("100%")
