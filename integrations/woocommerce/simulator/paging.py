"""Pages of lists, and parts of rows."""

from integrations.woocommerce.simulator.state import Refused, Row


def cut_page(rows: list[Row], params: dict[str, str]) -> tuple[list[Row], Row]:
    size, number = int(params.get("per_page", 10)), int(params.get("page", 1))
    if size > 100:
        raise Refused(400, "rest_invalid_param", "Invalid parameter(s): per_page")
    pages = -(-len(rows) // size)
    headers = {"X-WP-Total": len(rows), "X-WP-TotalPages": pages}
    start = int(params.get("offset", (number - 1) * size))
    return rows[start : start + size], headers


def pick_fields(row: Row, params: dict[str, str]) -> Row:
    fields = params.get("_fields", "").split(",")
    return {k: v for k, v in row.items() if k in fields} if fields != [""] else row
