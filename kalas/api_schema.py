"""What drf-spectacular is told about the API as a whole.

What comes of it is kept in docs/reference/openapi.yaml, so that a change shows in its diff.
"""

import inspect
import json
from pathlib import Path
from typing import Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from accounts.api.base import ApiView
from annotations.models import Annotation, Garment, Label
from integrations.models import (
    Platform,
    Store,
    StoreDelivery,
    StoreRun,
    WebhookDelivery,
    WebhookEndpoint,
    WriteBack,
)
from retrieval.auditing.advice import CODES
from retrieval.models import CatalogueImport, Product, ProductImage

# Names for choices that several fields share (SPECTACULAR_SETTINGS).
ANNOTATION_STATES = Annotation.State.values
OBJECT_TYPES = Garment.ObjectType.values
ORIGINS = Label.Origin.values
WEBHOOK_STATES = WebhookEndpoint.State.values
DELIVERY_STATES = WebhookDelivery.State.values
STORE_STATES = Store.State.values
STORE_MODES = Store.Mode.values
STORE_PLATFORMS = Platform.values
STORE_DELIVERY_STATES = StoreDelivery.State.values
STORE_CHANGE_STATES = WriteBack.State.values
BACKFILL_STATES = StoreRun.State.values
CHOSEN_BACKFILL_STATES = ["running", "paused", "cancelled"]
BATCH_STATES = ["pending", "done"]
CHOSEN_STATES = ["active", "off"]
PRODUCT_STATES = Product.State.values
PHOTO_ADVICE = list(CODES)
PHOTO_STATES = ProductImage.State.values
IMPORT_STATES = CatalogueImport.State.values
IMPORT_KINDS = CatalogueImport.Kind.values
REVIEW_KINDS = ["review", "undo", "second", "carried"]
REVIEW_VERDICTS = ["not-a-garment", "bad-photo"]
SUGGESTION_KINDS = ["category", "colour", "value", "product"]
FOUND_KINDS = ["all", "some", "looks", "nothing"]

Operation = dict[str, Any]

EXAMPLES = Path(__file__).with_name("api_examples.json")
PROBLEM_TYPE = "application/problem+json"
PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457; some types have more members.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Never changes; its page."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people."},
        "errors": {
            "type": "array",
            "description": "Each wrong field, where the type is invalid-request.",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": True,
}


class Schema(AutoSchema):
    """Adds what the views' base class does for every operation."""

    def get_tags(self) -> list[str]:
        parts = self.path.strip("/").split("/")
        return [parts[2] if parts[1] == "v1" else parts[1]]

    def get_description(self) -> str:  # type: ignore[override] # as in AutoSchema
        """The method's own words; a view's are for who reads the code. Lines end where
        paragraphs do."""
        said = inspect.getdoc(getattr(self.view, self.method.lower())) or ""
        return "\n\n".join(" ".join(each.split()) for each in said.split("\n\n"))

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        if getattr(getattr(self.view, self.method.lower()), "is_idempotent", False):
            parameters.append(
                OpenApiParameter(
                    "Idempotency-Key",
                    {"type": "string", "minLength": 1, "maxLength": 255},
                    OpenApiParameter.HEADER,
                    description="The same request with the same key has one effect and one"
                    " answer, for two days.",
                )
            )
        return parameters


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.api.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A key of the shop, `kal_…`, from the developers' page. An operation"
            " names the scopes of which the key needs one; where none is named, any key will do.",
        }

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        view = cast(ApiView, auto_schema.view)
        scopes = view.scopes.get(auto_schema.method, ())
        return [{self.name: [str(scope)]} for scope in scopes] or [{self.name: []}]


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.api.authentication.MemberAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "The pages' session; writing also needs the CSRF token.",
        }


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Pages of lists, problems and examples, which each operation has."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    for operations in result["paths"].values():
        for operation in operations.values():
            _wrap_page(operation)
            _add_problems(operation)
            _add_examples(operation, examples.get(operation["operationId"], {}))
    return result


def _wrap_page(operation: Operation) -> None:
    content = operation["responses"].get("200", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if schema.get("type") == "array":
        link = {"type": ["string", "null"], "format": "uri"}
        content["application/json"]["schema"] = {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }


def _add_problems(operation: Operation) -> None:
    operation["responses"]["default"] = {
        "description": "Not done: the problem says why.",
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _add_examples(operation: Operation, examples: dict[str, Any]) -> None:
    """`request` for the JSON body, `answer` for what is JSON, or `answer 202` for that alone."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None and "request" in examples:
        body["example"] = examples["request"]
    for status, response in operation["responses"].items():
        content = response.get("content", {}).get("application/json")
        if status != "default" and content is not None and "answer" in examples:
            content["example"] = examples.get(f"answer {status}", examples["answer"])
