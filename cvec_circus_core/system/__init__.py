"""The only room that knows the operating system: clock, processes, launching, signals, accounts.

Everybody else asks one of the Protocols in `protocols.py`, each of which has a fake that passes the
same contract tests (`tests/contracts`).
"""
