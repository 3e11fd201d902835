from django.db import connection


def lend_connection() -> None:
    """Before waiting for something slow: where threads share a pool, give this one's connection
    to whoever needs one meanwhile. The next query takes another."""
    if connection.settings_dict["OPTIONS"].get("pool") and not connection.in_atomic_block:
        connection.close()
