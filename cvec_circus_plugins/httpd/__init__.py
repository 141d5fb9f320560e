"""The web console and the HTTP interface: an ASGI application beside the daemon.

See docs/design/console.rst for its rooms. Nothing here is imported by a daemon that runs no
console.
"""
