"""supervisor, as released on PyPI."""

from tests.benchmarks.peers.contract import Job, Peer, worker_line
from tests.benchmarks.peers.released import PINS, programs_of

CONFIG = """\
[supervisord]
logfile = {folder}/supervisord.log
pidfile = {folder}/supervisord.pid
childlogdir = {folder}
minfds = {files}

[program:w]
command = {line}
numprocs = {count}
process_name = %(program_name)s_%(process_num)05d
autorestart = true
stdout_logfile = NONE
stderr_logfile = NONE
"""


class Supervisor(Peer):
    name = "supervisor"

    def find(self) -> str:
        programs_of("supervisor", self.place.cache)
        return PINS["supervisor"].partition("==")[2]

    def command(self, job: Job) -> list[str]:
        config = job.folder / "supervisord.conf"
        config.write_text(
            CONFIG.format(
                folder=job.folder,
                files=max(1024, 4 * job.total + 100),
                line=worker_line(job),
                count=job.total,
            )
        )
        program = programs_of("supervisor", self.place.cache) / "supervisord"
        return [str(program), "--nodaemon", "--configuration", str(config)]
