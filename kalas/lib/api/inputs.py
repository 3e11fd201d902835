"""What comes in is exactly what is documented: an unknown name is an error, not noise."""

from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from django.http import QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

UNKNOWN = "There is no such field."
LONGEST_NAME_SHOWN = 60


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses names that it does not know."""

    default_error_messages = {"invalid": "This must be a JSON object."}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                message = serializers.ErrorDetail(UNKNOWN, code="unknown")
                raise serializers.ValidationError(
                    {str(name)[:LONGEST_NAME_SHOWN]: [message] for name in unknown[:20]}
                )
        return super().to_internal_value(data)


S = TypeVar("S", bound=StrictSerializer)


def read_query(request: Request, serializer: type[S]) -> dict[str, Any]:
    """The address's parameters; raises ValidationError, also for one that is given twice."""
    parameters: QueryDict = request.query_params
    twice = [name for name, values in parameters.lists() if len(values) > 1]
    if twice:
        raise serializers.ValidationError({name: ["Give it once."] for name in twice})
    return read(serializer, parameters.dict())


def read(serializer: type[S], data: Any) -> dict[str, Any]:
    """Raises ValidationError."""
    checked = serializer(data=data)
    checked.is_valid(raise_exception=True)
    values: dict[str, Any] = checked.validated_data
    return values


@extend_schema_field(OpenApiTypes.BINARY)
class UploadField(serializers.FileField):
    """Documents a file of a form; otherwise it would be described as an address."""


class Choice(serializers.ChoiceField):
    """Says what there is to choose from."""

    default_error_messages = {"invalid_choice": "“{input}” is none of {choices}."}

    def fail(self, key: str, **values: Any) -> NoReturn:
        values["input"] = str(values.get("input", ""))[:LONGEST_NAME_SHOWN]
        super().fail(key, choices=", ".join(map(str, self.choices)), **values)


class Moment(serializers.DateTimeField):
    """Says what once was sent as +01:00 and came as a space and 01:00."""

    default_error_messages = {
        "invalid": "Write it like 2026-11-21T04:00:00Z. In an address a + is %2B."
    }


class FieldList(serializers.CharField):
    """`fields=id,state`: only these members of each result."""

    def __init__(self, *, names: tuple[str, ...], **options: Any) -> None:
        self.names = names
        options.setdefault(
            "help_text", f"Only these members, separated by commas: {', '.join(names)}."
        )
        super().__init__(required=False, **options)

    def to_internal_value(self, data: Any) -> Any:
        asked = [name.strip() for name in str(super().to_internal_value(data)).split(",")]
        unknown = [name for name in asked if name not in self.names]
        if unknown:
            raise serializers.ValidationError(
                f"There is no member {unknown[0][:LONGEST_NAME_SHOWN]}. Known: "
                f"{', '.join(self.names)}.",
                code="unknown",
            )
        return asked
