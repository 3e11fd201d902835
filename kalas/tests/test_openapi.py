"""The API's description is complete, is what is committed, and its examples are true to it."""

from io import StringIO
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from openapi_schema_validator import OAS31Validator

PAGE = settings.BASE_DIR / "docs" / "reference" / "openapi.yaml"
Case = tuple[str, dict[str, Any], object]


@pytest.fixture(scope="module")
def written() -> str:
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    return out.getvalue()


def list_operations(description: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for path in description["paths"].values() for each in path.values()]


def list_examples(description: dict[str, Any]) -> list[Case]:
    cases = []
    for operation in list_operations(description):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for body in bodies:
            media = body.get("content", {}).get("application/json")
            if media is not None:
                cases.append((operation["operationId"], media["schema"], media.get("example")))
    return cases


def test_what_is_committed_is_what_the_code_says(written: str) -> None:
    command = "manage.py spectacular --file docs/reference/openapi.yaml"
    assert written == PAGE.read_text(encoding="utf-8"), f"Run {command} and look at the diff."


def test_every_operation_has_true_examples(written: str) -> None:
    description = yaml.safe_load(written)
    examples = list_examples(description)
    assert len(examples) > 20
    for name, schema, example in examples:
        assert example is not None, name
        whole = {**schema, "components": description["components"]}
        wrong = [error.message for error in OAS31Validator(whole).iter_errors(example)]
        assert wrong == [], name


def test_every_operation_says_what_it_does_and_what_goes_wrong(written: str) -> None:
    for operation in list_operations(yaml.safe_load(written)):
        assert "application/problem+json" in operation["responses"]["default"]["content"]
        assert operation["description"], operation["operationId"]
        assert any("key" in way for way in operation["security"]), operation["operationId"]


def test_an_operation_names_the_scopes_of_which_a_key_needs_one(written: str) -> None:
    paths = yaml.safe_load(written)["paths"]

    assert paths["/api/v1/annotations/"]["get"]["security"] == [
        {"key": ["annotate"]},
        {"key": ["review"]},
        {"session": []},
    ]
    assert {"key": []} in paths["/api/v1/taxonomy/"]["get"]["security"]


def test_everybody_may_read_the_description(client: Client) -> None:
    answer = client.get("/api/schema/", headers={"Accept": "application/json"})

    assert answer.status_code == 200
    assert yaml.safe_load(answer.content)["info"]["title"] == "Kalas"
