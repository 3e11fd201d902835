"""The API in several processes: `gunicorn --config deploy/gunicorn.conf.py`, behind nginx only."""

import multiprocessing
import os

wsgi_app = "kalas.wsgi"
bind = os.environ.get("API_BIND", "127.0.0.1:8001")
# The engine needs cores too. Who waits for a result keeps a thread, and hardly any computing time.
workers = int(os.environ.get("API_WORKERS", max(2, multiprocessing.cpu_count() // 2)))
threads = 16
worker_class = "gthread"
# `wait` may be 60 s, and the engine's queue before it.
timeout = 120
graceful_timeout = 70
keepalive = 30
# As the API takes them, not as gunicorn would cut them off.
limit_request_line = 8190
# Requests that hang on a disk would look like a dead process.
worker_tmp_dir = "/dev/shm"  # noqa: S108
# Believed from nginx on this machine alone.
forwarded_allow_ips = "127.0.0.1"

# For each process: so many of its threads ask the database at once.
os.environ.setdefault("DATABASE_POOL_SIZE", "8")
