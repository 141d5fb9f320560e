"""Decisions, pure: no clock, no operating system, no await, no log.

`machine.py` is the door: ``step(state, inputs, now) -> effects``.
"""
