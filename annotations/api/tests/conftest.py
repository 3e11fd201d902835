import pytest
from django.test import Client

from accounts.tests.factories import make_key
from annotations.tests.conftest import *  # noqa: F403 - the same storage, engine and jobs


@pytest.fixture
def key(member):
    return make_key(member=member)


@pytest.fixture
def api(key):
    return Client(headers={"Authorization": f"Bearer {key.token}"})
