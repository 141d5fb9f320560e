"""Built-in streams: where the output of processes goes, one class a file."""
