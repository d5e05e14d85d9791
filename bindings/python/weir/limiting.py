"""Limiting: limits that hold, for any thread and process, without engine and policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import TracebackType
from typing import Any, NamedTuple, Union

from weir._boundary import Handle, Now, Owner, Text, Texts, call, create, struct, to_bytes, to_now
from weir._weir import ffi, lib
from weir.state import State, random_seed

LEASE_PERIOD: int = lib.WEIR_LEASE_PERIOD
"""Rule.lease_ms: a reservation counts until its period ends."""


class Algorithm(IntEnum):
    """How a rule counts."""

    SLIDING_WINDOW = lib.WEIR_LIMIT_SLIDING_WINDOW
    TOKEN_BUCKET = lib.WEIR_LIMIT_TOKEN_BUCKET
    FIXED_WINDOW = lib.WEIR_LIMIT_FIXED_WINDOW
    CALENDAR = lib.WEIR_LIMIT_CALENDAR
    CONCURRENCY = lib.WEIR_LIMIT_CONCURRENCY


class Period(IntEnum):
    """Of a calendar rule."""

    HOUR = lib.WEIR_PERIOD_HOUR
    DAY = lib.WEIR_PERIOD_DAY
    WEEK = lib.WEIR_PERIOD_WEEK
    MONTH = lib.WEIR_PERIOD_MONTH
    QUARTER = lib.WEIR_PERIOD_QUARTER
    YEAR = lib.WEIR_PERIOD_YEAR
    LIFETIME = lib.WEIR_PERIOD_LIFETIME


@dataclass(frozen=True)
class Rule:
    """A limit: `amount` per window, for each key.

    amount: in any unit: tokens, requests, micro-USD. window_ms: 0 for calendar and concurrency.
    burst: a token bucket's size (0 = amount). period, week_start (1 = Monday), time_zone (an IANA
    name): of calendars. lease_ms: how long a reservation counts that nobody ends (0 = 10 minutes).
    anchor_unix_ms: of fixed windows: when some window begins; None: with the first booking.
    share: all keys share one amount fairly, each getting share_floor at least (sliding windows).
    """

    name: str
    amount: int
    window_ms: int = 0
    algorithm: Algorithm = Algorithm.SLIDING_WINDOW
    burst: int = 0
    period: int = 0
    week_start: int = 0
    time_zone: str = ""
    lease_ms: int = 0
    anchor_unix_ms: int | None = None
    share: bool = False
    share_floor: int = 0


@dataclass(frozen=True)
class Charge:
    """What one rule is asked for.

    rule: its name, or its index. key: of the counter. cost: must fit. headroom: wanted on top, as
    much as is left; learned: from what this counter's outputs have been, apart for each `model`.
    weight: of this key's share. amount: for this request, in place of the rule's.
    """

    rule: Union[str, int]
    key: Text = b""
    cost: int = 1
    headroom: int = 0
    learned: bool = False
    weight: int = 0
    model: Text = b""
    amount: int | None = None


class Verdict(NamedTuple):
    """What one rule answered. Times in nanoseconds; NEVER: waiting does not help."""

    rule: int
    admitted: bool
    used_before: int
    reserved: int
    amount: int
    remaining: int
    retry_after_ns: int
    reset_ns: int


class Decision(NamedTuple):
    """What a limiter answered; true when admitted. binding: the index of the charge that refuses
    longest, -1: none. table_full: there was no counter for a new key."""

    admitted: bool
    binding: int
    table_full: bool
    retry_after_ns: int
    verdicts: tuple[Verdict, ...]

    def __bool__(self) -> bool:
        return self.admitted


def _verdict(record: Any) -> Verdict:
    return Verdict(record.rule, bool(record.admitted), record.used_before, record.reserved,
                   record.amount, record.remaining, record.retry_after_ns, record.reset_ns)


def _verdicts(count: int) -> Any:
    records = ffi.new("weir_limit_verdict[]", max(count, 1))
    records[0].size = ffi.sizeof("weir_limit_verdict")
    return records


def _decision(record: Any, verdicts: Any, count: int) -> Decision:
    return Decision(bool(record.admitted), record.binding, bool(record.table_full),
                    record.retry_after_ns, tuple(_verdict(verdicts[i]) for i in range(count)))


def _rules(rules: Sequence[Rule], texts: Texts) -> Any:
    records = ffi.new("weir_limit_rule[]", len(rules))
    for record, rule in zip(records, rules):
        record.size = ffi.sizeof("weir_limit_rule")
        texts.put(record, "name", rule.name)
        texts.put(record, "time_zone", rule.time_zone)
        record.is_anchored = rule.anchor_unix_ms is not None
        record.anchor_unix_ms = rule.anchor_unix_ms or 0
        for field in ("algorithm", "amount", "window_ms", "burst", "period", "week_start",
                      "lease_ms", "share", "share_floor"):
            setattr(record, field, getattr(rule, field))
    return records


class Limiter(Owner):
    """Named rules over counters, one for each key; all charges of a request hold at once or none.

    state: where the counters live; None: private memory. max_counters: 0 = 16384. full_admits: the
    answer to a new key when every counter is in use. Any thread may use it.

        limiter = weir.Limiter([weir.Rule("per-team", amount=1000, window_ms=60_000)])
        if limiter.take(weir.Charge("per-team", key="red", cost=12)): ...
    """

    __slots__ = ("_indices",)

    def __init__(self, rules: Sequence[Rule], state: State | None = None, *,
                 max_counters: int = 0, full_admits: bool = False,
                 seed: int | None = None) -> None:
        texts = Texts()
        options = struct("weir_limiter_options", max_counters=max_counters,
                         full_admits=full_admits, seed=random_seed() if seed is None else seed)
        memory = ffi.NULL if state is None else state._parent_handle().pointer
        pointer = create(lib.weir_limiter_new, "weir_limiter*", memory, _rules(rules, texts),
                         len(rules), options)
        self._own(Handle(pointer, lib.weir_limiter_free))
        self._indices = {rule.name: index for index, rule in enumerate(rules)}

    def take(self, *charges: Charge, now: Now | None = None) -> Decision:
        """Decides all charges at once and books them if all are admitted: for exact costs."""
        count = len(charges)
        texts, verdicts, decision = Texts(), _verdicts(count), struct("weir_limit_decision")
        call(lib.weir_limiter_take, self._pointer, self._charges(charges, texts), count,
             to_now(now), verdicts, decision)
        return _decision(decision, verdicts, count)

    def reserve(self, *charges: Charge, now: Now | None = None) -> Reservation:
        """The same, to be settled when the real cost is known."""
        count = len(charges)
        texts, verdicts, decision = Texts(), _verdicts(count), struct("weir_limit_decision")
        pointer = create(lib.weir_limiter_reserve, "weir_reservation*", self._pointer,
                         self._charges(charges, texts), count, to_now(now), verdicts, decision)
        return Reservation(self, pointer, _decision(decision, verdicts, count))

    def peek(self, charge: Charge, *, now: Now | None = None) -> Verdict:
        """The counter of a charge as it stands, and what it would answer; nothing changes."""
        texts, verdict = Texts(), struct("weir_limit_verdict")
        call(lib.weir_limiter_peek, self._pointer, self._charges([charge], texts), to_now(now),
             verdict)
        return _verdict(verdict)

    def book(self, charge: Charge, *, now: Now | None = None) -> None:
        """Books a cost without asking: for costs that are known only afterwards."""
        texts = Texts()
        call(lib.weir_limiter_book, self._pointer, self._charges([charge], texts), to_now(now))

    def override(self, rule: Union[str, int], amount: int, for_ms: int, *,
                 key: Text | None = None, now: Now | None = None) -> None:
        """Another amount for a rule, for `key` alone or for every key without one of its own, in
        all processes, for `for_ms` from now; 0 ends it."""
        data = None if key is None else to_bytes(key)
        call(lib.weir_limiter_override, self._pointer, self._index(rule),
             ffi.NULL if data is None else data, len(data or b""), amount, for_ms, to_now(now))

    def restarted(self) -> list[str]:
        """The rules whose counters started anew, as the state knew them with another algorithm,
        window, time zone or anchor."""
        names: list[str] = []
        view, size = ffi.new("const char**"), ffi.new("size_t*")
        while lib.weir_limiter_restarted(self._pointer, len(names), view, size) == lib.WEIR_OK:
            names.append(ffi.unpack(view[0], size[0]).decode())
        return names

    def _index(self, rule: Union[str, int]) -> int:
        if isinstance(rule, int):
            return rule
        try:
            return self._indices[rule]
        except KeyError:
            raise LookupError(f"the limiter has no rule \"{rule}\"") from None

    def _charges(self, charges: Sequence[Charge], texts: Texts) -> Any:
        records = ffi.new("weir_limit_charge[]", max(len(charges), 1))
        for record, charge in zip(records, charges):
            record.size = ffi.sizeof("weir_limit_charge")
            record.rule = self._index(charge.rule)
            texts.put(record, "key", charge.key)
            record.cost = charge.cost
            if charge.headroom or charge.learned:
                record.headroom = charge.headroom
                record.learned = charge.learned
                texts.put(record, "model", charge.model)
            record.weight = charge.weight
            if charge.amount is not None:
                record.amount = charge.amount
                record.has_amount = 1
        return records


class Reservation(Owner):
    """What was booked for a request; true when admitted. One thread at a time.

    In a with block, what is not settled at its end is released:

        with limiter.reserve(weir.Charge("per-team", key="red", cost=1000)) as reservation:
            if reservation: reservation.settle(tokens_used)
    """

    __slots__ = ("_limiter", "decision")

    def __init__(self, limiter: Limiter, pointer: Any, decision: Decision) -> None:
        parent = limiter._parent_handle()
        self._limiter = parent.pointer
        self.decision = decision
        self._own(Handle(pointer, lib.weir_reservation_free, parent))

    def __bool__(self) -> bool:
        return self.decision.admitted

    @property
    def admitted(self) -> bool:
        return self.decision.admitted

    def top_up(self, *more: int, now: Now | None = None) -> Decision:
        """Books more on top, for each charge in order, all or nothing, and renews the leases."""
        count = len(self.decision.verdicts)
        verdicts, decision = _verdicts(count), struct("weir_limit_decision")
        call(lib.weir_limiter_top_up, self._limiter, self._pointer, list(more), len(more),
             to_now(now), verdicts, decision)
        return _decision(decision, verdicts, count)

    def settle(self, *costs: int, headroom_used: int = 0, unlearned: bool = False,
               now: Now | None = None) -> None:
        """Ends it: the whole real cost of each charge in order; one without stays as it was
        reserved. headroom_used: the output part, which `learned` learns from; unlearned: the work
        failed or broke off, so nothing is learned."""
        actuals = ffi.new("weir_limit_actual[]", max(len(costs), 1))
        for record, cost in zip(actuals, costs):
            record.size = ffi.sizeof("weir_limit_actual")
            record.cost = cost
            record.headroom_used = headroom_used
            record.unlearned = unlearned
        call(lib.weir_limiter_settle, self._limiter, self._pointer, actuals, len(costs),
             to_now(now))

    def release(self, *, now: Now | None = None) -> None:
        """Ends it as if it had never been: everything is given back."""
        call(lib.weir_limiter_release, self._limiter, self._pointer, to_now(now))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        if self.decision.admitted and self._handle is not None and self._pointer != ffi.NULL:
            self.release()  # now, not as of the reservation; of no effect when it has ended
        self.close()
