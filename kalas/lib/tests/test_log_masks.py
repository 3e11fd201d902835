import logging

import pytest

from kalas.lib.log_masks import MaskTokens


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/shops/join/s3cret/", "/shops/join/…/"),
        ("/accounts/password/reset/key/1-s3cret/", "/accounts/password/reset/key/…/"),
        ("/accounts/confirm-email/s3:cr:et/", "/accounts/confirm-email/…/"),
        ("/annotations/", "/annotations/"),
    ],
)
def test_masks_tokens_in_paths(path, logged):
    record = logging.LogRecord("x", logging.INFO, "", 0, "%s: %s (%d)", ("Gone", path, 410), None)

    assert MaskTokens().filter(record)

    assert record.getMessage() == f"Gone: {logged} (410)"
