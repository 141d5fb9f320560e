#!@PYTHON@ -IS
# Writes down what it was started with, then waits; or ends with CODE after --exit, and at once
# after --detached.
import json
import os
import resource
import signal
import stat
import sys

umask = os.umask(0)
os.umask(umask)
record = {
    "argv": sys.argv[1:],
    "cwd": os.getcwd(),
    "env": dict(os.environ),
    "pid": os.getpid(),
    "uid": os.getuid(),
    "umask": umask,
    "nofile": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    "has_socket": stat.S_ISSOCK(os.fstat(0).st_mode),
}
path = f"@HERE@/records/{os.getpid()}"
with open(path + ".new", "w") as file:
    json.dump(record, file)
os.rename(path + ".new", path)
print("witness: ready", flush=True)
if "--exit" in sys.argv:
    sys.exit(int(sys.argv[-1]))
if "--detached" in sys.argv:
    sys.exit(0)
signal.pause()
