from datetime import UTC, datetime

from procrastinate.contrib.django import app

from accounts import idempotency


@app.periodic(cron="23 * * * *")
@app.task(queueing_lock="accounts.forget_old_requests")
def forget_old_requests(timestamp: int) -> None:
    """Answers that nobody may ask for again."""
    idempotency.remove_old(now=datetime.fromtimestamp(timestamp, UTC))
