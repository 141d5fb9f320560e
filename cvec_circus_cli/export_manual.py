"""The manual of export; see `installed.OF_CIRCUSCTL` for its form."""

from __future__ import annotations

EXPORT_MANUAL = """Write watchers as the configuration of another tool

usage: circusctl export [-o FOLDER] KIND FILE

KIND is kubernetes, nomad, systemd or compose, or what a package brings. FILE is a configuration of
the daemon's, or of a fleet. The files are written into FOLDER, which is made where it is not there,
and where no file is overwritten; without -o they go to standard output. What could not be carried
over is told on standard error, for each watcher, with what there is instead. Images that containers
need are not built: each is named like its watcher."""
