"""Writes watchers as the configuration of other tools: ``circusctl export KIND FILE``."""
