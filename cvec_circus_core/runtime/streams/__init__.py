"""What becomes of the output of processes: from the pipe of each to the sink of its watcher.

``watcher_streams`` puts the parts together for one watcher: ``process_pipes`` opens the pipes of a
process, ``pipe_reader`` reads them, ``sink_writer`` gives what was read to the sink, by way of a
``job_thread`` where that may take long, ``recent_output`` remembers the last of it, and ``outputs``
is what all watchers share. Each knows only those below it.
"""
