import pytest
from django.test import Client

from accounts.models import Scope
from accounts.tests.factories import make_key
from annotations.api.tests.requests import PATH, post_file, problem_of
from annotations.models import Annotation

pytestmark = pytest.mark.django_db


def test_a_session_needs_its_csrf_token(member):
    client = Client(enforce_csrf_checks=True)
    client.force_login(member.user)

    assert client.get(PATH).status_code == 200
    assert problem_of(post_file(client, b"")) == "forbidden"


def test_a_session_annotates_too(page, member):
    response = post_file(page, b"")

    assert response.status_code == 202
    assert Annotation.objects.get().requested_by == member.user


def test_scopes_are_kept_apart(member):
    search = make_key(member=member, scopes=[Scope.SEARCH])
    api = Client(headers={"Authorization": f"Bearer {search.token}"})

    assert problem_of(api.get(PATH)) == "missing-scope"
    assert problem_of(post_file(api, b"")) == "missing-scope"
