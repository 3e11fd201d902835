from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from integrations import endpoints
from integrations.stores import credentials
from integrations.stores.tests.factories import make_store
from integrations.tests.factories import make_endpoint

pytestmark = pytest.mark.django_db


def test_a_new_key_takes_the_place_of_the_old_one(settings, member):
    store = make_store(by=member)
    endpoint, secret = make_endpoint(by=member)
    settings.ENCRYPTION_KEYS = ["new", *settings.ENCRYPTION_KEYS]

    call_command("reseal_secrets", stdout=StringIO())

    settings.ENCRYPTION_KEYS = ["new"]
    store.refresh_from_db()
    endpoint.refresh_from_db()
    assert credentials.read(store)["key"] == "ck_1"
    assert endpoints.read_secrets(endpoint, now=timezone.now()) == [secret]


def test_says_what_no_key_opens(settings, member):
    make_store(by=member)
    settings.ENCRYPTION_KEYS = ["another"]

    with pytest.raises(CommandError, match="1 can't be opened"):
        call_command("reseal_secrets", stdout=StringIO())
