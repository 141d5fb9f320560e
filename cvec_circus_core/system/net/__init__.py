"""Sockets: managed ones, the files of endpoints, and who is at the other end."""
