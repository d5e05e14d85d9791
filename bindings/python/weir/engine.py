"""Engine: the policy in force and the state it keeps."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path as FilePath
from typing import Any, Literal, NamedTuple, Union

from weir._boundary import (Handle, Now, Owner, Text, Texts, call, create, error_of, read_json,
                            read_text, struct, to_bytes, to_now)
from weir._weir import ffi, lib
from weir.state import Path, random_seed
from weir.transaction import Transaction

Document = Union[str, bytes, Mapping[str, Any]]


class SecretKind(IntEnum):
    """Where a secret's value is: in an environment variable, or in a file."""

    ENV = lib.WEIR_SECRET_ENV
    FILE = lib.WEIR_SECRET_FILE


class Secret(NamedTuple):
    """A secret that a policy names but does not hold."""

    kind: SecretKind
    name: str


def _document_bytes(document: Document) -> bytes:
    if isinstance(document, Mapping):
        document = json.dumps(document, ensure_ascii=False)
    return to_bytes(document)


class Policy(Owner):
    """A parsed, validated document. InvalidArgumentError names the first fault, with line and
    column, and lists as many as fit; Policy.check gives all of them."""

    __slots__ = ()

    def __init__(self, document: Document) -> None:
        data = _document_bytes(document)
        self._own(Handle(create(lib.weir_policy_parse, "weir_policy*", data, len(data)),
                         lib.weir_policy_free))

    @classmethod
    def from_file(cls, path: Union[str, os.PathLike[str]]) -> Policy:
        """The policy of a file, its secrets resolved."""
        policy = cls(FilePath(path).read_bytes())
        policy.resolve_secrets()
        return policy

    @staticmethod
    def check(document: Document) -> list[str]:
        """Every fault of a document ("3:14: limits.per-team.per: …"); none: it is sound."""
        data = _document_bytes(document)
        return read_text(lib.weir_policy_check, data, len(data)).decode().splitlines()

    @staticmethod
    def warnings(document: Document) -> list[str]:
        """What a sound document says that silently does nothing, in the same form."""
        data = _document_bytes(document)
        return read_text(lib.weir_policy_warnings, data, len(data)).decode().splitlines()

    @property
    def secrets(self) -> list[Secret]:
        """The secrets that the document names: an engine needs the value of each."""
        found: list[Secret] = []
        kind, name = ffi.new("int32_t*"), ffi.new("const char**")
        size = ffi.new("size_t*")
        for index in range(lib.weir_policy_secret_count(self._pointer)):
            lib.weir_policy_secret(self._pointer, index, kind, name, size)
            found.append(Secret(SecretKind(kind[0]), ffi.unpack(name[0], size[0]).decode()))
        return found

    def set_secret(self, index: int, value: Text) -> None:
        """Gives a secret's value. FailedPreconditionError once an engine has the policy."""
        data = to_bytes(value)
        status = lib.weir_policy_set_secret(self._pointer, index, data, len(data))
        if status != lib.WEIR_OK:
            raise error_of(status, struct("weir_error"))

    def resolve_secrets(self, environ: Mapping[str, str] = os.environ) -> None:
        """Gives the values of secrets that the environment and the files of their names have; of a
        file without its last line end. Those that are missing are named by the engine."""
        for index, (kind, name) in enumerate(self.secrets):
            if kind is SecretKind.ENV and name in environ:
                self.set_secret(index, environ[name])
            elif kind is SecretKind.FILE and FilePath(name).is_file():
                self.set_secret(index, FilePath(name).read_bytes().rstrip(b"\r\n"))


def key_hash(pepper: Text, key: Text) -> str:
    """The stored form of a virtual key, for a policy's consumers: "sha256:…"."""
    pepper, key = to_bytes(pepper), to_bytes(key)
    return read_text(lib.weir_key_hash, pepper, len(pepper), key, len(key)).decode()


_EXPORTS: dict[str, int] = {
    "otlp_cumulative": lib.WEIR_EXPORT_OTLP_CUMULATIVE,
    "otlp_delta": lib.WEIR_EXPORT_OTLP_DELTA,
    "track": lib.WEIR_EXPORT_TRACK,
}


class Engine(Owner):
    """Makes transactions. Any thread may use it, and any process that has a state file in common.

    state_file: where the hot state lives, made on first use; empty: this process's own memory.
    max_counters: limit counters kept at once; 0 = 16384. state_bytes, seed: of a new state.

        engine = weir.Engine(weir.Policy.from_file("policy.json"), state_file="weir.state")
    """

    __slots__ = ()

    def __init__(self, policy: Policy, *, state_file: Path = "", max_counters: int = 0,
                 state_bytes: int = 0, seed: int | None = None) -> None:
        texts = Texts()
        options = struct("weir_engine_options", max_counters=max_counters,
                         state_bytes=state_bytes, seed=random_seed() if seed is None else seed)
        texts.put(options, "state_file", os.fsencode(state_file))
        pointer = create(lib.weir_engine_new, "weir_engine*", policy._pointer, options)
        self._own(Handle(pointer, lib.weir_engine_free))

    def reload(self, policy: Policy) -> None:
        """Puts another policy in force for transactions that begin from now on; what rules of the
        same names have counted is kept. On an error the old policy stays."""
        call(lib.weir_engine_reload, self._pointer, policy._pointer)

    def transaction(self) -> Transaction:
        """Begins a transaction."""
        return Transaction(self)

    def metrics(self) -> str:
        """The metrics in Prometheus text format 0.0.4, of all processes that share the state."""
        return read_text(lib.weir_engine_metrics, self._pointer).decode()

    def metrics_as(self, accept: str) -> tuple[str, str]:
        """The metrics as a scraper's Accept header asks for them, OpenMetrics 1.0.0 or Prometheus
        text, behind the content type to answer with."""
        header = accept.encode("latin-1", "replace")
        kind = ffi.new("const char**")
        text = read_text(lib.weir_engine_metrics_as, self._pointer, header, len(header), kind)
        return ffi.string(kind[0]).decode(), text.decode()

    def export_metrics(self, format: Literal["otlp_cumulative", "otlp_delta", "track"], *,
                       service_name: Text = "", instrumentation_key: Text = "",
                       metric_namespace: Text = "", now: Now | None = None) -> tuple[int, bytes]:
        """The number and the bytes of a batch to send; no bytes: nothing to send. Of deltas, the
        same batch comes again until acknowledge_metrics says that it arrived."""
        texts = Texts()
        options = struct("weir_export_options", format=_EXPORTS[format])
        texts.put(options, "service_name", to_bytes(service_name))
        texts.put(options, "instrumentation_key", to_bytes(instrumentation_key))
        texts.put(options, "metric_namespace", to_bytes(metric_namespace))
        number = ffi.new("uint64_t*")
        batch = read_text(lib.weir_engine_export_metrics, self._pointer, options, to_now(now),
                          number)
        return number[0], batch

    def acknowledge_metrics(self, format: Literal["otlp_delta", "track"], number: int) -> None:
        """The batch arrived."""
        call(lib.weir_engine_acknowledge_metrics, self._pointer, _EXPORTS[format], number)

    def status(self, *, now: Now | None = None) -> dict[str, Any]:
        """The state of backends and pools."""
        status: dict[str, Any] = read_json(lib.weir_engine_status, self._pointer, to_now(now))
        return status

    def changes(self, since: int = 0) -> dict[str, Any]:
        """The circuits that tripped, half-opened or were reset after the change numbered `since`,
        in all processes: for alerts and logs."""
        changes: dict[str, Any] = read_json(lib.weir_engine_changes_json, self._pointer, since)
        return changes

    def purge_cache(self, cache: Text, *, partition: Text | None = None, model: Text | None = None,
                    entry: Text | None = None) -> int:
        """Takes answers out of the policy's cache of this name: those of a partition (what the
        cache's "partition" expressions give, one a line), of a model, or the entry that explain
        tells of a hit; all of them when none is named. How many there were."""
        kinds = [(lib.WEIR_PURGE_PARTITION, partition), (lib.WEIR_PURGE_MODEL, model),
                 (lib.WEIR_PURGE_ENTRY, entry)]
        named = [(kind, to_bytes(given)) for kind, given in kinds if given is not None]
        if len(named) > 1:
            raise TypeError("purge_cache takes one of partition, model and entry")
        which, what = named[0] if named else (lib.WEIR_PURGE_ALL, b"")
        name = to_bytes(cache)
        removed: int = create(lib.weir_engine_purge_cache, "uint64_t", self._pointer, name,
                              len(name), which, what, len(what))
        return removed

    def override_limit(self, limit: Text, amount: int, for_ms: int, *, key: Text | None = None,
                       now: Now | None = None) -> None:
        """Another amount for the policy's limit of this name, for `key` alone or for every key
        without one of its own, in all processes, for `for_ms` from now; 0 ends it."""
        name, data = to_bytes(limit), None if key is None else to_bytes(key)
        call(lib.weir_engine_override_limit, self._pointer, name, len(name),
             ffi.NULL if data is None else data, len(data or b""), amount, for_ms, to_now(now))
