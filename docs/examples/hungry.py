"""Tell of processes that take more than a tenth of a processor: ``python hungry.py [ENDPOINT]``."""

import sys

from cvec_circus_core import StatsClient

endpoint = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5557"
with StatsClient(endpoint) as statistics:
    for _, pid, numbers in statistics:
        cpu = numbers.get("cpu")
        if pid is not None and isinstance(cpu, float) and cpu > 10:
            print(numbers.get("watcher"), pid, f"{cpu} %", numbers["mem_info1"], flush=True)
