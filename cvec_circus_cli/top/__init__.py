"""circus-top: what the statistics stream says, as a picture that changes.

Four kinds of modules. What is heard: `facts` (one body becomes types), `ledger` (bodies become a
snapshot), `feed` (the thread that listens), `opening` (where to listen, or why that can not be).
What is looked at: `view` and `keys` (a key changes what is looked at), `rows` (a snapshot becomes
rows), `columns` and `picture` (rows become lines). What is done: `acting`. And who shows it:
`plain` for pipes, `screen` for a terminal, which is the only one that knows a terminal library.
Everything that decides is pure, and tested without a terminal.
"""
