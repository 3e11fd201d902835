from annotations.tests.conftest import *  # noqa: F403 - the same storage, engine and jobs
