"""Breaking: who is throttled or broken is left alone for as long as it asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, NamedTuple

from weir._boundary import (Handle, Now, Owner, Text, Texts, call, create, read_json, struct,
                            to_bytes, to_now)
from weir._weir import ffi, lib
from weir.state import State, random_seed


class On(IntFlag):
    """What else counts as a failure."""

    CONNECT = lib.WEIR_BREAKER_ON_CONNECT
    TIMEOUT = lib.WEIR_BREAKER_ON_TIMEOUT
    RESET = lib.WEIR_BREAKER_ON_RESET
    STREAM_ERROR = lib.WEIR_BREAKER_ON_STREAM_ERROR


class CircuitState(IntEnum):
    """CLOSED: everything passes; OPEN: nothing; HALF_OPEN: a few probes."""

    CLOSED = lib.WEIR_BREAKER_CLOSED
    OPEN = lib.WEIR_BREAKER_OPEN
    HALF_OPEN = lib.WEIR_BREAKER_HALF_OPEN


class Outcome(IntEnum):
    """How a request ended; STREAM_ERROR and TRUNCATED: of an answer that had begun well."""

    ANSWERED = lib.WEIR_OUTCOME_ANSWERED
    CONNECT = lib.WEIR_OUTCOME_CONNECT
    TIMEOUT = lib.WEIR_OUTCOME_TIMEOUT
    RESET = lib.WEIR_OUTCOME_RESET
    STREAM_ERROR = lib.WEIR_OUTCOME_STREAM_ERROR
    TRUNCATED = lib.WEIR_OUTCOME_TRUNCATED


@dataclass(frozen=True)
class BreakerRule:
    """Trips for trip_ms when `count` failures came within interval_ms and, with a percentage, were
    that share of at least min_samples outcomes. statuses: ranges, both ends inclusive.
    trip_growth_percent: each successive trip is longer, up to trip_max_ms."""

    trip_ms: int
    statuses: Sequence[tuple[int, int]] = ()
    failures: On = On(0)
    name: str = ""
    count: int = 0
    interval_ms: int = 0
    percentage: int = 0
    min_samples: int = 0
    trip_growth_percent: int = 0
    trip_max_ms: int = 0
    ignore_retry_after: bool = False


@dataclass(frozen=True)
class BreakerRuleSet:
    """At most four rules, and how a circuit closes again: `probes` requests are let through at once
    while it is half-open, `successes_to_close` of them close it."""

    rules: Sequence[BreakerRule]
    probes: int = 0
    successes_to_close: int = 0
    probe_timeout_ms: int = 0
    retry_after_min_ms: int = 0
    retry_after_max_ms: int = 0
    forget_trips_ms: int = 0


class Circuit:
    """The circuit of a key, as Breaker.find gave it; good for as long as that breaker."""

    __slots__ = ("_record",)

    def __init__(self, record: Any) -> None:
        self._record = record


class Permit:
    """The answer to a request that asks to pass; true when it may. Report its outcome with it.

    retry_at_mono_ns: when it may not, the earliest time worth asking again. HALF_OPEN: at the
    latest, since a probe may end at any moment; no time to let a balancer's member rest for.
    """

    __slots__ = ("_record", "allowed", "is_probe", "state", "retry_at_mono_ns")

    def __init__(self, record: Any) -> None:
        self._record = record
        self.allowed = bool(record.allowed)
        self.is_probe = bool(record.is_probe)
        self.state = CircuitState(record.state)
        self.retry_at_mono_ns: int = record.retry_at_mono_ns

    def __bool__(self) -> bool:
        return self.allowed


class Report(NamedTuple):
    """What an outcome did to its circuit. tripped: it opened it, by the rule of this index; reset:
    it closed it."""

    tripped: bool
    reset: bool
    rule: int
    open_until_mono_ns: int


def _rule_set(record: Any, rule_set: BreakerRuleSet, texts: Texts, kept: list[Any]) -> None:
    rules = ffi.new("weir_breaker_rule[]", max(len(rule_set.rules), 1))
    kept.append(rules)
    for each, rule in zip(rules, rule_set.rules):
        each.size = ffi.sizeof("weir_breaker_rule")
        statuses = ffi.new("weir_status_range[]", list(rule.statuses))
        kept.append(statuses)
        each.statuses, each.status_count = statuses, len(rule.statuses)
        texts.put(each, "name", rule.name)
        for field in ("failures", "count", "percentage", "min_samples", "trip_growth_percent",
                      "interval_ms", "trip_ms", "trip_max_ms", "ignore_retry_after"):
            setattr(each, field, getattr(rule, field))
    record.size = ffi.sizeof("weir_breaker_rule_set")
    record.rules, record.rule_count = rules, len(rule_set.rules)
    for field in ("probes", "successes_to_close", "probe_timeout_ms", "retry_after_min_ms",
                  "retry_after_max_ms", "forget_trips_ms"):
        setattr(record, field, getattr(rule_set, field))


class Breaker(Owner):
    """One circuit for each key, under one of the rule sets. Any thread may use it.

        breaker = weir.Breaker([weir.BreakerRuleSet([
            weir.BreakerRule(trip_ms=5000, statuses=[(429, 429), (500, 599)])])])
        east = breaker.find("east")
        permit = breaker.acquire(east)
        if permit: breaker.record(permit, status=200)
    """

    __slots__ = ()

    def __init__(self, rule_sets: Sequence[BreakerRuleSet], state: State | None = None, *,
                 max_circuits: int = 0, seed: int | None = None) -> None:
        texts, kept = Texts(), list[Any]()
        records = ffi.new("weir_breaker_rule_set[]", max(len(rule_sets), 1))
        for record, rule_set in zip(records, rule_sets):
            _rule_set(record, rule_set, texts, kept)
        options = struct("weir_breaker_options", max_circuits=max_circuits,
                         seed=random_seed() if seed is None else seed)
        memory = ffi.NULL if state is None else state._parent_handle().pointer
        pointer = create(lib.weir_breaker_new, "weir_breaker*", memory, records, len(rule_sets),
                         options)
        self._own(Handle(pointer, lib.weir_breaker_free))

    def find(self, key: Text, rule_set: int = 0, *, now: Now | None = None) -> Circuit:
        """The circuit of `key` under the rule set of this index; made if there is none."""
        data, record = to_bytes(key), struct("weir_circuit")
        call(lib.weir_breaker_find, self._pointer, rule_set, data, len(data), to_now(now), record)
        return Circuit(record)

    def check(self, circuit: Circuit, *, now: Now | None = None) -> Permit:
        """Would a request pass now? Takes nothing; not a permit to report with."""
        return self._ask(lib.weir_breaker_check, circuit, now)

    def acquire(self, circuit: Circuit, *, now: Now | None = None) -> Permit:
        """Takes the right to send one request; end it with record() or cancel()."""
        return self._ask(lib.weir_breaker_acquire, circuit, now)

    def record(self, permit: Permit, *, status: int = 0, outcome: Outcome = Outcome.ANSWERED,
               retry_after_ns: int | None = None, now: Now | None = None) -> Report:
        """Reports what became of a request. retry_after_ns: how long the backend asked to be left
        alone, as retry_after() gave it."""
        asked = struct("weir_outcome", status=status, failure=outcome,
                       has_asked=retry_after_ns is not None, retry_after_ns=retry_after_ns or 0)
        report = struct("weir_breaker_report")
        call(lib.weir_breaker_record, self._pointer, permit._record, asked, to_now(now), report)
        return Report(bool(report.tripped), bool(report.reset), report.rule,
                      report.open_until_mono_ns)

    def cancel(self, permit: Permit, *, now: Now | None = None) -> None:
        """The request ended without saying anything about the backend."""
        call(lib.weir_breaker_cancel, self._pointer, permit._record, to_now(now))

    def snapshot(self, *, now: Now | None = None) -> dict[str, Any]:
        """All circuits of the state, for people who look."""
        circuits: dict[str, Any] = read_json(lib.weir_breaker_snapshot_json, self._pointer,
                                             to_now(now))
        return circuits

    def changes(self, since: int = 0) -> dict[str, Any]:
        """The changes of state after the one numbered `since`, by all processes."""
        changes: dict[str, Any] = read_json(lib.weir_breaker_changes_json, self._pointer, since)
        return changes

    def _ask(self, function: Any, circuit: Circuit, now: Now | None) -> Permit:
        permit = struct("weir_permit")
        call(function, self._pointer, circuit._record, to_now(now), permit)
        return Permit(permit)


_RETRY_HEADERS = {
    "retry-after": "retry_after",
    "retry-after-ms": "retry_after_ms",
    "x-ms-retry-after-ms": "x_ms_retry_after_ms",
    "x-ratelimit-remaining-requests": "remaining_requests",
    "x-ratelimit-reset-requests": "reset_requests",
    "x-ratelimit-remaining-tokens": "remaining_tokens",
    "x-ratelimit-reset-tokens": "reset_tokens",
}


def retry_after(headers: Mapping[str, str], *, cap_ns: int = 3600 * 10**9,
                now: Now | None = None) -> int | None:
    """How long, in nanoseconds, the headers of a failed answer ask to leave the backend alone; None
    when nothing usable is said. At most cap_ns."""
    texts, record = Texts(), struct("weir_retry_headers")
    for name, value in headers.items():
        field = _RETRY_HEADERS.get(name.lower())
        if field is not None:
            texts.put(record, field, value)
    asked: int = create(lib.weir_retry_after, "int64_t", record, to_now(now), cap_ns)
    return None if asked < 0 else asked
