"""Daemons under a keeper that are killed."""
