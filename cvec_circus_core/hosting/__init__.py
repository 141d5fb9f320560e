"""How plugins come to run, all of it; what a plugin is stands in `extend/plugin.py`.

placement   which plugin runs where, with those that installed packages add by a kernel hook;
            and the watcher of one that has a process of its own
runner      that process: the order that the daemon gave it, or the words of a command line
threads     those that run inside the daemon
link        how either reaches the daemon: commands and events
classes     how the class that a plugin names is found, checked, and made
"""
