from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from kalas.lib.api.problems import Problem


class JsonParser(JSONParser):
    """Takes the view's `longest_json` bytes: as objects they need many times as much.

    A body is as long as its Content-Length says, to which the servers hold it.
    """

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Raises Problem and ParseError."""
        longest = parser_context["view"].longest_json
        sent = parser_context["request"].META
        if int(sent.get("CONTENT_LENGTH") or 0) > longest:
            raise Problem("too-large", f"JSON may have {longest / 1024**2:.0f} MB here.")
        if sent.get("HTTP_CONTENT_ENCODING", "identity") != "identity":
            raise ParseError("Send the body as it is, without a Content-Encoding.")
        encoding = parser_context["encoding"]
        if encoding.lower() == "utf-8":  # with or without the mark that some programs put first
            encoding = "utf-8-sig"
        try:
            return super().parse(stream, media_type, {**parser_context, "encoding": encoding})
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
