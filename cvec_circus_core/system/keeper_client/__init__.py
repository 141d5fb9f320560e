"""Processes and sockets that are the keeper's: both ports, by messages."""
