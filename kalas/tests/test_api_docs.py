from django.urls import reverse

from kalas import api_docs


def test_everybody_may_read_about_every_operation(client, db):
    operations = [each for chapter in api_docs.list_chapters() for each in chapter.operations]
    assert len(operations) > 20

    answer = client.get(reverse("api_docs"))

    assert answer.status_code == 200
    page = answer.content.decode()
    for operation in operations:
        assert f'id="{operation.id}"' in page
        assert operation.path in page
        assert operation.text


def test_every_page_leads_to_it(client, db):
    page = client.get(reverse("account_login")).content.decode()

    assert f'href="{reverse("api_docs")}"' in page


def test_the_page_asks_no_other_server(client, db):
    page = client.get(reverse("api_docs")).content.decode()

    assert "//cdn" not in page
    assert page.count("<script") == client.get(reverse("problems")).content.decode().count(
        "<script"
    )


def test_says_what_a_body_holds():
    chapters = {chapter.name: chapter for chapter in api_docs.list_chapters()}
    create = next(each for each in chapters["webhooks"].operations if each.id == "create_webhook")

    fields = {each.name: each for each in create.body}

    assert create.scopes == ["manage"]
    assert fields["url"].required
    assert fields["events"].kind == (
        "list of annotation.finished | annotation.reviewed | batch.finished | product.annotated"
    )
    assert '"events"' in create.body_example
    assert "whsec_" in create.answers[0].example


def test_says_what_a_parameter_takes():
    chapters = api_docs.list_chapters()
    lists = next(each for each in chapters[0].operations if each.id == "list_annotations")

    limit = next(each for each in lists.parameters if each.name == "limit")

    assert limit.text == "How many on a page. From 1 to 100. <code>25</code> where left out."
    assert [chapter.name for chapter in chapters][-1] == "compat"


def test_shows_how_to_check_a_signature(client, db):
    page = client.get(reverse("api_docs")).content.decode()

    for sign in ("def is_from_kalas", "function isFromKalas(headers", "hash_hmac"):
        assert sign in page


def test_shows_how_to_listen(client, db):
    page = client.get(reverse("api_docs")).content.decode()

    assert "WebSocketClientProtocol" in page
    assert "new WebSocket(" in page


def test_shows_a_program_in_each_language(client, db):
    page = client.get(reverse("api_docs")).content.decode()

    for sign in ("curl -sS", "import httpx", "new FormData()", "&lt;?php"):
        assert sign in page


def test_marks_names_and_escapes_the_rest():
    assert api_docs.mark_code("a `<b>` & c") == "a <code>&lt;b&gt;</code> &amp; c"
