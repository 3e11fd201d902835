"""Pages by cursor: they stay right while rows are added, and each costs the same."""

from django.utils.dateparse import parse_datetime
from rest_framework import exceptions, serializers
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from kalas.lib.api.inputs import StrictSerializer

PAGE = 25
LARGEST_PAGE = 100


class PageQuery(StrictSerializer):
    """The parameters that every list takes."""

    limit = serializers.IntegerField(
        min_value=1, max_value=LARGEST_PAGE, default=PAGE, help_text="How many on a page."
    )
    cursor = serializers.CharField(
        required=False, max_length=500, help_text="From `next` or `previous` of another page."
    )


class NewestFirst(CursorPagination):
    """By `created_at`; rows of the same microsecond by id."""

    ordering = ("-created_at", "-id")
    page_size = PAGE
    page_size_query_param = "limit"
    max_page_size = LARGEST_PAGE
    # More rows than that share one microsecond only if somebody made them so.
    offset_cutoff = 10_000

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Raises ValidationError for what was not made by this class."""
        try:
            cursor: Cursor | None = super().decode_cursor(request)
            if cursor and cursor.position is not None and not parse_datetime(str(cursor.position)):
                raise ValueError
        except (exceptions.NotFound, ValueError) as error:
            raise serializers.ValidationError({"cursor": ["This is no cursor."]}) from error
        return cursor
