"""What etcd's JSON gateway takes and answers, and what its errors mean."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from cvec_circus_core.api import escaped
from cvec_circus_plugins.fleet.store import (
    Change,
    Entry,
    Guard,
    HistoryLost,
    LeaseExpired,
    Snapshot,
    StoreFailure,
)

_UNAUTHENTICATED = 16
_BAD_REQUEST = 400


class SignedOut(StoreFailure):
    """The token is not good any more."""


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode(errors="replace")


def prefix_range(prefix: str) -> dict[str, str]:
    """Return the keys below a prefix, for a request."""
    # The end of a prefix is the prefix with its last byte counted up.
    raw = prefix.encode()
    end = raw[:-1] + bytes([raw[-1] + 1])
    return {"key": _coded(prefix), "range_end": base64.b64encode(end).decode()}


def transaction(
    values: Mapping[str, str | None], lease: int, guards: Sequence[Guard]
) -> dict[str, Any]:
    """Return the request that writes keys where all guards hold."""
    return {
        "compare": [
            {
                "key": _coded(guard.key),
                "target": "CREATE",
                "result": "EQUAL",
                "create_revision": str(guard.created_at),
            }
            for guard in guards
        ],
        "success": [_write_operation(key, value, lease) for key, value in values.items()],
    }


def snapshot_of(reply: Mapping[str, Any]) -> Snapshot:
    """Return what a transaction of ranges has read."""
    ranges = (response.get("response_range", {}) for response in reply.get("responses", ()))
    entries = (_entry(kv) for content in ranges for kv in content.get("kvs", ()))
    return Snapshot({entry.key: entry for entry in entries}, revision_of(reply))


def _write_operation(key: str, value: str | None, lease: int) -> dict[str, Any]:
    if value is None:
        return {"request_delete_range": {"key": _coded(key)}}
    put = {"key": _coded(key), "value": _coded(value)}
    if lease:
        put["lease"] = str(lease)
    return {"request_put": put}


def _entry(kv: Mapping[str, Any]) -> Entry:
    return Entry(
        key=_decoded(kv["key"]),
        value=_decoded(kv.get("value", "")),
        created_at=int(kv["create_revision"]),
        changed_at=int(kv["mod_revision"]),
        lease=int(kv.get("lease", 0)),
    )


def revision_of(reply: Mapping[str, Any]) -> int:
    """Return the revision at which a request was answered."""
    return int(reply["header"]["revision"])


def changes_in(line: str) -> list[Change]:
    """Return what a line of a watch tells. Raises `HistoryLost`, `StoreFailure`."""
    if not line.strip():
        return []
    message = json.loads(line)
    if "error" in message:
        _refuse(message["error"] if isinstance(message["error"], dict) else message)
    result = message.get("result", {})
    if int(result.get("compact_revision", 0)):
        raise HistoryLost("etcd has forgotten the changes meanwhile")
    if result.get("canceled"):
        raise StoreFailure(f"etcd ends the watch: {escaped(result.get('cancel_reason', ''))}")
    return [
        Change(_decoded(event["kv"]["key"]), None)
        if event.get("type") == "DELETE"
        else Change(_decoded(event["kv"]["key"]), _entry(event["kv"]))
        for event in result.get("events", ())
    ]


def content_of(answer: str, status: int, endpoint: str) -> dict[str, Any]:
    """Return the object that was answered. Raises what an error of etcd's means."""
    try:
        content = json.loads(answer)
    except ValueError:
        text = escaped(answer.strip() or "with nothing")
        raise StoreFailure(f"{endpoint} answers {status}, {text}") from None
    if not isinstance(content, dict):
        raise StoreFailure(f"{endpoint} answers, but not as etcd does")
    if status >= _BAD_REQUEST or "error" in content:
        _refuse(content)
    return content


def _refuse(content: Mapping[str, Any]) -> NoReturn:
    """Raise what an error of etcd's means."""
    sentence = escaped(content.get("message") or content.get("error") or "")
    code = int(content.get("code") or content.get("grpc_code") or 0)
    if "lease not found" in sentence:
        raise LeaseExpired(sentence)
    if "compacted" in sentence:
        raise HistoryLost(sentence)
    if code == _UNAUTHENTICATED or "invalid auth token" in sentence:
        raise SignedOut(f"etcd: {sentence}")
    raise StoreFailure(f"etcd: {sentence}")
