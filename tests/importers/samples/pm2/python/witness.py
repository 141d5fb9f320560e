import os
import sys

os.execv("@HERE@/witness", ["witness", "py", *sys.argv[1:]])
