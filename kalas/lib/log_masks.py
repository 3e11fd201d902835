"""Keeps out of the log what lets its reader act as somebody else."""

import logging
import re

# Django logs the path of every request that fails; in these, the next part is a secret.
_SECRET_PATHS = re.compile(r"(/shops/join/|/password/reset/key/|/confirm-email/)[^/\s?]+")


class MaskTokens(logging.Filter):
    """Masks the tokens of invitations and e-mails in the arguments of log messages."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                _SECRET_PATHS.sub(r"\1…", each) if isinstance(each, str) else each
                for each in record.args
            )
        return True
