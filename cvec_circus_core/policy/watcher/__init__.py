"""The machine of one watcher: inputs are recorded, then effects close the gap."""
