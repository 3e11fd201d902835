"""A page that shows the API's description, without a script or a server of somebody else's."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from kalas.lib.api.etags import build_etag

Fields = dict[str, Any]
LANGUAGES = {"bash": "curl", "python": "Python", "javascript": "JavaScript", "php": "PHP"}
# A longer text is a photo's; its description says how large it may be.
MUCH = 1_000_000
_FENCED = re.compile(r"^```(\w+)( live)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: str
    required: bool
    text: SafeString


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    kind: str
    text: SafeString
    example: str


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    method: str
    path: str
    scopes: list[str]
    text: SafeString
    parameters: list[Field]
    body: list[Field]
    body_types: list[str]
    body_example: str
    answers: list[Answer]


@dataclass(slots=True)
class Chapter:
    name: str
    operations: list[Operation] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Example:
    language: str
    code: str


@require_safe
def show_docs(request: HttpRequest) -> HttpResponse:
    context = {
        "chapters": list_chapters(),
        "examples": list_examples("how-to/use-the-api.md"),
        "checks": list_examples("reference/webhooks.md"),
        "listeners": list_examples("how-to/use-the-api.md", live=True),
        "address": settings.PUBLIC_URL.rstrip("/"),
    }
    return render(request, "kalas/api_docs.html", context)


@require_safe
def send_description(request: HttpRequest) -> HttpResponseBase:
    """The OpenAPI as it is kept with the code, so that asking costs nothing."""
    body = _read_description()
    response = HttpResponse(body, content_type="application/vnd.oai.openapi; charset=utf-8")
    response["ETag"] = etag = build_etag(body)
    return get_conditional_response(request, etag=etag, response=response) or response


@lru_cache(maxsize=1)
def _read_description() -> bytes:
    return (settings.BASE_DIR / "docs" / "reference" / "openapi.yaml").read_bytes()


@lru_cache
def list_examples(document: str, *, live: bool = False) -> list[Example]:
    """One program in each language, from a page of docs/ whose programs the tests run; `live`
    are those that listen to live events."""
    page = (settings.BASE_DIR / "docs" / document).read_text(encoding="utf-8")
    programs = [(name, code) for name, mark, code in _FENCED.findall(page) if bool(mark) == live]
    found = dict(reversed(programs))  # the first of each language
    return [
        Example(title, found[name].strip()) for name, title in LANGUAGES.items() if name in found
    ]


@lru_cache(maxsize=1)
def list_chapters() -> list[Chapter]:
    """In the order of the addresses, the old ones last; the same for everybody while the process
    runs."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    description = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    schemas = description["components"]["schemas"]
    chapters: dict[str, Chapter] = {}
    paths = sorted(description["paths"].items(), key=lambda each: "/compat/" in each[0])
    for path, operations in paths:
        for method, operation in operations.items():
            name = operation["tags"][0]
            chapter = chapters.setdefault(name, Chapter(name))
            chapter.operations.append(_read(method, path, operation, schemas))
    return list(chapters.values())


def _read(method: str, path: str, operation: Fields, schemas: Fields) -> Operation:
    content = operation.get("requestBody", {}).get("content", {})
    first: Fields = next(iter(content.values()), {})
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        scopes=[scope for way in operation["security"] for scope in way.get("key", [])],
        text=mark_code(operation.get("description", "")),
        parameters=[
            Field(
                each["name"],
                _name_kind(each["schema"], schemas),
                each.get("required", False),
                _explain(each.get("description", ""), each["schema"]),
            )
            for each in operation.get("parameters", [])
        ],
        body=_list_fields(first.get("schema", {}), schemas),
        body_types=list(content),
        body_example=_write(first.get("example")),
        answers=list(_list_answers(operation)),
    )


def _list_answers(operation: Fields) -> Iterator[Answer]:
    for status, response in operation["responses"].items():
        if status == "default":
            continue
        kinds = list(response.get("content", {}))
        example = response.get("content", {}).get("application/json", {}).get("example")
        text = mark_code(response.get("description", ""))
        yield Answer(status, ", ".join(kinds), text, _write(example))


def _list_fields(schema: Fields, schemas: Fields) -> list[Field]:
    known = schemas[_ref(schema)] if "$ref" in schema else schema
    required = known.get("required", [])
    return [
        Field(
            name,
            _name_kind(each, schemas),
            name in required,
            _explain(each.get("description", ""), each),
        )
        for name, each in known.get("properties", {}).items()
    ]


def _explain(text: str, schema: Fields) -> SafeString:
    """With what is taken, in words: from 1 to 100; at most 200 characters; 50 where left out."""
    said = [text] if text else []
    if "minimum" in schema and "maximum" in schema:
        said.append(f"From {schema['minimum']:,} to {schema['maximum']:,}.")
    for name, unit in (("maxLength", "characters"), ("maxItems", "of them")):
        if name in schema and schema[name] < MUCH:
            said.append(f"At most {schema[name]:,} {unit}.")
    if (default := schema.get("default")) not in (None, ""):
        plain = json.dumps(default).strip('"')
        said.append(f"`{plain}` where left out.")
    return mark_code(" ".join(said))


def _name_kind(schema: Fields, schemas: Fields) -> str:
    """In a few words: integer, string (uuid), active | off, list of …"""
    if "$ref" in schema:
        return _name_kind(schemas[_ref(schema)], schemas)
    several = schema.get("oneOf") or schema.get("anyOf") or schema.get("allOf")
    if several:
        return " | ".join(_name_kind(each, schemas) for each in several)
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_name_kind(schema['items'], schemas)}"
    if kind == "object" and "properties" in schema:
        return f"{{{', '.join(schema['properties'])}}}"
    plain = " | ".join(kind) if isinstance(kind, list) else str(kind)
    return f"{plain} ({schema['format']})" if "format" in schema else plain


def _ref(schema: Fields) -> str:
    return str(schema["$ref"]).rsplit("/", 1)[-1]


def mark_code(text: str) -> SafeString:
    """Its `names` as code; everything else is escaped."""
    return mark_safe(_CODE.sub(r"<code>\1</code>", escape(text)))  # noqa: S308 - escaped


def _write(example: object) -> str:
    return "" if example is None else json.dumps(example, indent=2, ensure_ascii=False)
