"""Tasks for Celery."""

import os
import time

from celery import Celery

app = Celery("shop", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.broker_connection_retry_on_startup = True


@app.task
def bill(order: int) -> str:
    """Take a while, and tell what was done."""
    time.sleep(2)
    return f"order {order} is billed"
