from annotations.tests.conftest import (  # noqa: F401 - fixtures
    fake_engine,
    media,
    member,
    page,
    run_jobs,
    tenant,
)
