"""The API does what its schema says, whatever one sends: no 5xx, no undocumented answer."""

from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.tests.factories import make_key, make_member
from annotations.tests.conftest import fake_engine, media  # noqa: F401 - fixtures
from annotations.tests.factories import make_done_annotation
from kalas.lib import remote_images
from kalas.lib.request_failures import RequestFailed

pytestmark = pytest.mark.django_db
# Bounded, so that the whole walk takes well under a minute.
EXAMPLES = 10
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture
def api_schema(db, fake_engine, monkeypatch):  # noqa: F811
    def fail(url, **options):
        raise RequestFailed("unreachable")

    monkeypatch.setattr(remote_images, "fetch_image", fail)
    # As Django's test client does: the test's transaction lives in this connection.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/api/schema/", get_wsgi_application())
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def token(settings):
    settings.API_REQUESTS_PER_KEY = settings.API_REQUESTS_PER_SHOP = 1_000_000
    member = make_member()
    make_done_annotation(tenant=member.tenant)
    return make_key(member=member).token


def test_every_operation_keeps_its_word(api_schema, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    broken: dict[str, str] = {}
    statuses: set[int] = set()
    operations = [found.ok() for found in api_schema.get_all_operations()]

    for operation in operations:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def keep_word(case: Any) -> None:
            statuses.add(case.call_and_validate(headers=headers, checks=CHECKS).status_code)

        try:
            keep_word()
        except Exception as error:  # noqa: BLE001 - each operation's findings, at once
            broken[operation.label] = str(error)[:2000]

    assert len(operations) > 15
    assert statuses >= {200, 404, 422}
    assert broken == {}, "\n\n".join(f"{name}: {why}" for name, why in broken.items())
