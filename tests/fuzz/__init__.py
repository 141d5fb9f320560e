"""Whatever arrives, on the wire or in a file: no crash, no traceback, no growth.

python -m tests.fuzz                     ten minutes of everything
python -m tests.fuzz --seconds 60 wire   one minute of one target
"""
