"""The daemon's log as a file of Python's `logging.config` describes it: JSON, YAML or ini."""

from __future__ import annotations

import configparser
import json
import logging.config
from collections.abc import Mapping

from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.system.whole_files import bounded, read_whole
from cvec_circus_core.system.working_dir import by_name

_READING = 5.0
"""Seconds that reading the file may take."""
_REFUSALS = (OSError, ValueError, RuntimeError, TypeError, AttributeError)
"""What logging.config raises for what it can not use."""


def configure(path: str) -> None:
    """Set up logging by a file. Raises `ConfigError` naming what can not be used."""
    try:
        config = read_loggerconfig(path)
        if isinstance(config, configparser.RawConfigParser):
            logging.config.fileConfig(config, disable_existing_loggers=False)
        else:
            logging.config.dictConfig(dict(config))
    except KeyError as error:
        raise ConfigError(f"loggerconfig {path} can not be used: it lacks {error}") from None
    except (ConfigError, *_REFUSALS) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"loggerconfig {path} can not be used: {reason}") from None


def read_loggerconfig(path: str) -> Mapping[str, object] | configparser.RawConfigParser:
    """Return what a logging configuration says. Raises ConfigError with a reason in one line."""
    try:
        if path.endswith((".json", ".yaml", ".yml")):
            text = _read(path)
            config = json.loads(text) if path.endswith(".json") else _from_yaml(text)
            if not isinstance(config, dict):
                raise ConfigError("it is no mapping")
            return config
        return _from_ini(path)
    except OSError as error:
        raise ConfigError((error.strerror or str(error)).lower()) from None
    except ValueError as error:
        raise ConfigError(" ".join(str(error).split())) from None


def _from_ini(path: str) -> configparser.RawConfigParser:
    parser = configparser.ConfigParser()
    try:
        parser.read_string(_read(path), path)
    except configparser.MissingSectionHeaderError as error:
        line = repr(error.line.strip())
        raise ConfigError(f"line {error.lineno}, {line}, is in no section") from None
    except configparser.ParsingError as error:
        raise ConfigError(f"line {error.errors[0][0]} can not be read") from None
    except configparser.Error as error:
        raise ConfigError(" ".join(str(error).split())) from None
    for section in ("loggers", "handlers", "formatters"):
        if not parser.has_section(section):
            raise ConfigError(f"it has no section [{section}]")
    return parser


def _read(path: str) -> str:
    return bounded(lambda: read_whole(by_name(path)), _READING).decode()


def _from_yaml(text: str) -> object:
    try:
        import yaml  # only who writes YAML needs the package
    except ImportError:
        raise ConfigError("it needs the package pyyaml") from None
    try:
        content: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(" ".join(str(error).split())) from None
    return content
