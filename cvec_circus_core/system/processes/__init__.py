"""Processes: spawned, signalled, reaped, and everything that descends from them."""
