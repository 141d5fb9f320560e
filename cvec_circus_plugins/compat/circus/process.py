"""One process on its own, in the older form ``Process(name, wid, cmd)``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus_core import DEAD_OR_ZOMBIE, OTHER, RUNNING, UNEXISTING, Process as _Process

__all__ = ["DEAD_OR_ZOMBIE", "OTHER", "RUNNING", "UNEXISTING", "Process"]


class Process(_Process):
    """Starts a process and knows how it fares."""

    def __init__(
        self,
        name: str,
        wid: int | str,
        cmd: str,
        args: Sequence[str] | str | None = None,
        working_dir: str | None = None,
        shell: bool = False,
        uid: int | str | None = None,
        gid: int | str | None = None,
        env: Mapping[str, str] | None = None,
        rlimits: Mapping[str, int | None] | None = None,
        executable: str | None = None,
        use_fds: bool = False,
        watcher: object = None,
        spawn: bool = True,
        **streams: Any,
    ) -> None:
        self.cmd, self.args, self.watcher = cmd, args, watcher
        self.use_fds = use_fds
        for inert in ("close_child_stdout", "close_child_stderr"):
            if streams.pop(inert, False):
                streams[f"pipe_{inert.removeprefix('close_child_')}"] = False
        super().__init__(
            wid,
            cmd,
            args,
            working_dir,
            shell,
            uid,
            gid,
            env,
            rlimits,
            executable,
            name=str(name),
            spawn=spawn,
            **streams,
        )
