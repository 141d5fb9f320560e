"""The OpenAPI document of the HTTP interface, made from the declarations of all commands.

So a command of another package stands in it as well, with its manual and the types that it checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import cleandoc
from typing import Any

from cvec_circus_core.api import Command, __version__, schema_of

Node = dict[str, Any]

_ERRORS: Mapping[int, str] = {
    400: "the request is wrong, or what it names is not there",
    401: "nobody is signed in, and there is no good token",
    403: "the person may not do this, or a page has not sent the word of its session",
    404: "there is no such command or daemon",
    409: "it can not be done as things are",
    413: "the request is too large",
    500: "the console or the daemon has failed",
    503: "too many streams are open",
    504: "the daemon has not answered in time",
}
_COMMAND_ERRORS = (400, 401, 403, 404, 409, 413, 500, 504)
_DAEMON: Node = {
    "name": "daemon",
    "in": "query",
    "required": False,
    "schema": {"type": "string"},
    "description": "key of a daemon, as /api/daemons lists them; the first one when not given",
}


def document_of(commands: Mapping[str, Command], root_path: str) -> Node:
    """Return the document."""
    paths: Node = {
        f"/api/commands/{name}": {"post": _command(name, commands[name])}
        for name in sorted(commands)
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cvec_circus",
            "version": __version__,
            "description": "Commands, events and output of the daemons of one web console. "
            "Commands take, answer and refuse what they do on the control channel.",
        },
        "servers": [{"url": root_path or "/"}],
        "security": [{"token": []}, {"session": [], "word": []}],
        "paths": {**paths, **_PATHS},
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "circus"},
                "word": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
            },
            "schemas": _SCHEMAS,
        },
    }


def _command(name: str, command: Command) -> Node:
    summary, _, rest = cleandoc(command.__doc__ or name).partition("\n")
    schema = schema_of(command.request)
    return {
        "operationId": f"command_{name}",
        "tags": ["acting" if command.acts else "reading"],
        "summary": summary.rstrip("."),
        "description": rest.strip(),
        "parameters": [_DAEMON],
        "requestBody": {
            "required": bool(schema["required"]),
            "content": {"application/json": {"schema": schema}},
        },
        "responses": {
            "200": _json("the reply of the daemon", "Reply"),
            **_errors(*_COMMAND_ERRORS),
        },
    }


def _json(description: str, schema: str) -> Node:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": description, "content": {"application/json": {"schema": reference}}}


def _errors(*statuses: int) -> Node:
    return {str(status): _json(_ERRORS[status], "Error") for status in statuses}


def _stream(description: str, parameters: list[Node], *statuses: int) -> Node:
    content = {"text/event-stream": {"schema": {"type": "string"}}}
    return {
        "parameters": [*parameters, _DAEMON],
        "responses": {
            "200": {"description": description, "content": content},
            **_errors(*statuses),
        },
    }


def _parameter(name: str, schema: Node, description: str) -> Node:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": schema,
        "description": description,
    }


_WATCHER: Node = {
    "name": "watcher",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
    "description": "name of a watcher",
}
_SCHEMAS: Node = {
    "Reply": {
        "type": "object",
        "required": ["status", "time"],
        "properties": {"status": {"type": "string"}, "time": {"type": "number"}},
    },
    "Error": {
        "type": "object",
        "required": ["status", "reason", "errno"],
        "properties": {
            "status": {"const": "error"},
            "reason": {"type": "string", "description": "one sentence for people"},
            "errno": {"type": "integer"},
        },
    },
}
_PATHS: Node = {
    "/api/daemons": {
        "get": {
            "operationId": "daemons",
            "tags": ["reading"],
            "summary": "The daemons of this console, by key",
            "responses": {
                "200": {
                    "description": "all of them",
                    "content": {"application/json": {"schema": {"type": "object"}}},
                },
                **_errors(401),
            },
        }
    },
    "/api/events": {
        "get": {
            "operationId": "events",
            "tags": ["streams"],
            "summary": "What happens, as it happens, as server-sent events",
            **_stream(
                "events named event, with topic and body; lost, where the reader was too slow",
                [
                    _parameter(
                        "topic",
                        {"type": "array", "items": {"type": "string"}},
                        "only topics that begin so, such as watcher.web.",
                    )
                ],
                *(401, 404, 503),
            ),
        }
    },
    "/api/output/{watcher}": {
        "get": {
            "operationId": "output",
            "tags": ["streams"],
            "summary": "The output of a watcher: the last lines, and what comes",
            **_stream(
                "events named output; lost, where the reader was too slow",
                [
                    _WATCHER,
                    _parameter(
                        "channel",
                        {"type": "string", "enum": ["stdout", "stderr", "all"], "default": "all"},
                        "which output",
                    ),
                    _parameter(
                        "lines",
                        {"type": "integer", "minimum": 0, "maximum": 10000, "default": 10},
                        "how many of the last lines of each process",
                    ),
                ],
                *(400, 401, 403, 404, 503, 504),
            ),
        }
    },
}
