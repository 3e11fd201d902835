from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    """Django's, but a cookie that holds no key at all never reaches the database: PostgreSQL
    answers a NUL byte with an error."""

    def _validate_session_key(self, key: str | None) -> bool:
        return bool(key and len(key) >= 8 and key.isascii() and key.isalnum())
