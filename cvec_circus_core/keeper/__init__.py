"""The keeper: circusd's own process, which has the children, pipes and sockets, and nothing else.

It decides nothing about watchers. The rest of the daemon, the brain, is a child of it and asks for
everything by messages; when the brain dies, the keeper starts another, and hands it what is there.
"""
