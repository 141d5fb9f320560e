"""The machine of all watchers together: which of them is asked for what, and when."""
