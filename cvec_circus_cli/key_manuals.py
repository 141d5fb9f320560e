"""Manuals of the commands about keys; see `installed.OF_CIRCUSCTL` for their form."""

from __future__ import annotations

KEY_MANUALS = {
    "keygen": """Make a key of yours for daemons of other machines, or one for a daemon here

usage: circusctl [--keys FOLDER] keygen [--daemon] [FILE]

Without --daemon it is yours: ~/.config/circus/client.key, from then on shown to every daemon that
you know by its key (circusctl trust). With --daemon it is the daemon's: /etc/circus/daemon.key for
root, else ~/.config/circus/daemon.key, for curve_key in [circus]. Only you can read the file. A key
that is there already stays. What is printed is no secret: the line to run on the other machine.""",
    "authorize": """Let the holder of a key command the daemon of this machine

usage: circusctl [--keys FOLDER] authorize [--role ROLE] [--file FILE] NAME KEY

ROLE is operator, who may do everything; viewer, who may look and hear events, as it is without
--role; or guest, who may only what allow_users of a watcher lets key:NAME. The list is
/etc/circus/authorized_keys for root, else ~/.config/circus/authorized_keys. The daemon reads it
when it starts, and at circusctl reloadconfig.""",
    "revoke": """Let the holder of a key in no more

usage: circusctl [--keys FOLDER] revoke [--file FILE] NAME

From the next circusctl reloadconfig on, which ends its open connections, too.""",
    "keys": """List who is let in by key

usage: circusctl [--keys FOLDER] keys [--file FILE]

A line is NAME ROLE KEY.""",
    "trust": """Remember the key of a daemon of another machine

usage: circusctl [--keys FOLDER] trust HOST[:PORT] KEY

KEY is what circusctl keygen --daemon has printed there. From then on, circusctl, the clients and
plugins talk to tcp://HOST only if that daemon is there, and show it your key. It is kept in
~/.config/circus/known_daemons, with the same host and port as endpoints have.""",
}
"""The first line is the summary."""
