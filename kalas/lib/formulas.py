"""Text of people in files that spreadsheets open."""

# Spreadsheets calculate cells that begin so; exports write an apostrophe before them.
_STARTS = ("=", "+", "-", "@", "\t", "\r")


def unescape_formula(cell: str) -> str:
    """Without the apostrophe that exports put before what a spreadsheet would calculate."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in (*_STARTS, "'") else cell


def escape_formula(cell: str) -> str:
    risky = cell.startswith(_STARTS) or (cell[:1] == "'" and cell[1:2] in (*_STARTS, "'"))
    return f"'{cell}" if risky else cell
