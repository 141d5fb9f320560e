"""A fleet: several machines whose daemons run what one configuration wants of them together.

Nothing here decides by a vote of its own. etcd keeps the truth: what is wanted, who is alive (a key
bound to a lease), who holds what. Each host runs an agent, a plugin of its daemon. One agent holds
the key of the leader; it computes which host runs how many processes of what (`placement.py`, pure)
and writes that down, a key for each host. Every agent reads its own and brings its daemon there.

What may run only once in the fleet, ``fleet = one``, takes a claim besides: a key that is created
only where it is absent, bound to the host's lease. Its processes run on a leash, which
ends them by the host's own clock before the lease can end: then nobody else has them yet.
"""
