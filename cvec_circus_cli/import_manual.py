"""The manual of import; see `installed.OF_CIRCUSCTL` for its form."""

from __future__ import annotations

IMPORT_MANUAL = """Write what another tool is configured to do as an ini file

usage: circusctl import [--kind KIND] [-o FILE] FILE

FILE is a supervisord.conf, a Procfile (with the .env beside it), an ecosystem file of pm2 (JSON,
YAML, or JavaScript that node evaluates), a service unit of systemd (with the socket unit beside
it), or a process-compose.yaml; KIND says which, where the file does not tell: supervisord,
procfile, pm2, systemd, process-compose, or what a package brings. Without -o the ini file goes to
standard output. What could not be carried over is told on standard error, and stands as a comment
at its place; a file that is already there is not overwritten. YAML and JSON need the extra
cvec-circus[import]. Try the result with circusd --check."""
