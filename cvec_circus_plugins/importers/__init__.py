"""Importers: the configuration of another tool becomes sections of ours."""
