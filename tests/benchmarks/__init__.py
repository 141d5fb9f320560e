"""Peers and ours on the same work in one run: ``python -m tests.benchmarks --help``.

The theory. Whatever keeps processes is judged from outside, by the processes themselves: a tiny
worker writes its pid and the time of its start into a pipe (`starts`), so no peer is asked what it
believes to be running. A peer is a small adapter (`peers/`) which says how it is configured,
started and stopped. A *round* takes every peer once, one after another; rounds are repeated, so
that a machine growing slower hits all alike, and only medians are compared (`results`, `targets`).
Everything a peer started is ended by us, whatever happens (`yard`).
"""
