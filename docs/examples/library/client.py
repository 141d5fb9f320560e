"""Ask a running daemon for the state of its watchers; its control endpoint may be an argument."""

import sys

from cvec_circus_core import CallError, CircusClient

client = CircusClient(endpoint=sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5555")
try:
    reply = client.send_message("status")
except CallError as error:
    sys.exit(f"no answer: {error}")
finally:
    client.stop()
for name, state in reply["statuses"].items():
    print(name, state)
