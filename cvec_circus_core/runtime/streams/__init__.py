"""What becomes of the output of processes: from the pipe of each to the sink of its watcher.

``channels`` puts the parts together for one watcher: ``pipe`` reads, ``outlet`` gives what was read
to the sink, by way of a ``worker`` where that may take long, ``recent`` remembers the last of it,
and ``shared`` is what all watchers have in common. Each knows only those below it.
"""
