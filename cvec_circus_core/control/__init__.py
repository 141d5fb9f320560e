"""The control channel and its kin: the only rooms that know ZeroMQ.

A request goes `server` → `codec` → `dispatch` → the command; a reply goes the same way back.
"""
