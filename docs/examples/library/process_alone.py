"""One process: its number is replaced in the command, its output is a pipe."""

from cvec_circus_core import Process

process = Process(7, "echo worker $WID")
print("exit code:", process.wait(timeout=10))
assert process.stdout is not None
print("it said:", process.stdout.read().decode().strip())
process.stop()
