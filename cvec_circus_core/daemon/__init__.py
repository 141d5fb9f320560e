"""circusd as a program: start, log, preflight checks, shutdown; and a plugin's own process."""
