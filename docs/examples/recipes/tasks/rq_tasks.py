"""Tasks for RQ."""

import time


def bill(order: int) -> str:
    """Take a while, and tell what was done."""
    time.sleep(2)
    return f"order {order} is billed"
