"""Balancing: which backend gets this request, for anything that has several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from weir._boundary import (Handle, Now, Owner, Text, Texts, call, create, read_json, struct,
                            to_bytes, to_now)
from weir._weir import ffi, lib
from weir.state import State, random_seed

NO_HOLD_DOWN: int = lib.WEIR_NO_HOLD_DOWN
"""Balancer(hold_down_ms=…): a tripped tier is used again at once."""


class Strategy(IntEnum):
    """How a tier chooses: by weight, in turn, by what is under way, by the time to the first token,
    the better of two drawn at random (P2C), or by key."""

    WEIGHTED = lib.WEIR_BALANCE_WEIGHTED
    ROUND_ROBIN = lib.WEIR_BALANCE_ROUND_ROBIN
    LEAST_BUSY = lib.WEIR_BALANCE_LEAST_BUSY
    LEAST_LATENCY = lib.WEIR_BALANCE_LEAST_LATENCY
    P2C = lib.WEIR_BALANCE_P2C
    HASH = lib.WEIR_BALANCE_HASH


class Rest(IntEnum):
    """Why a member rests."""

    TRIPPED = lib.WEIR_REST_TRIPPED
    OUT_OF_CAPACITY = lib.WEIR_REST_OUT_OF_CAPACITY
    THROTTLED = lib.WEIR_REST_THROTTLED


@dataclass(frozen=True)
class Member:
    """priority: lower is asked first (0 = 1); weight: 1 to 1000 (0 = 1)."""

    name: str
    priority: int = 0
    weight: int = 0


class Pick(NamedTuple):
    """The index of the member that gets the request; -1 when none is usable, and then the soonest
    end of a rest on the monotonic clock, or NEVER. True when there is one."""

    member: int
    returns_at_mono_ns: int

    def __bool__(self) -> bool:
        return self.member >= 0


class Balancer(Owner):
    """Members in priority tiers; a tier is used only for what those above it cannot take. Members
    are numbered from 0, as they were given. Any thread may use it.

        balancer = weir.Balancer("gpt-4o", [weir.Member("ptu"), weir.Member("payg", priority=2)])
        pick = balancer.pick(start=True)
        ...
        balancer.finished(pick.member)
    """

    __slots__ = ()

    def __init__(self, name: Text, members: Sequence[Member], state: State | None = None, *,
                 strategy: Strategy = Strategy.WEIGHTED, id_seed: int = 0, hold_down_ms: int = 0,
                 latency_decay_ms: int = 0, load_bound_percent: int = 0, load_floor: int = 0,
                 seed: int | None = None) -> None:
        texts = Texts()
        records = ffi.new("weir_balance_member[]", max(len(members), 1))
        for record, member in zip(records, members):
            record.size = ffi.sizeof("weir_balance_member")
            texts.put(record, "name", member.name)
            record.priority, record.weight = member.priority, member.weight
        options = struct("weir_balancer_options", strategy=strategy, id_seed=id_seed,
                         hold_down_ms=hold_down_ms, latency_decay_ms=latency_decay_ms,
                         load_bound_percent=load_bound_percent, load_floor=load_floor,
                         seed=random_seed() if seed is None else seed)
        data = to_bytes(name)
        memory = ffi.NULL if state is None else state._parent_handle().pointer
        pointer = create(lib.weir_balancer_new, "weir_balancer*", memory, data, len(data), records,
                         len(members), options)
        self._own(Handle(pointer, lib.weir_balancer_free))

    def pick(self, *, key: Text = b"", refused: Sequence[int] = (), prefer: int | None = None,
             sticky: bool = False, start: bool = False, now: Now | None = None) -> Pick:
        """The member that gets the request. key: of the strategy HASH. refused: members that are
        nothing for this request. prefer: stay with it if its tier is the one in use, or (sticky)
        any. start: what is picked is under way at once, as started() says."""
        texts = Texts()
        ask = struct("weir_balance_ask", start=start, sticky=sticky,
                     has_prefer=prefer is not None, prefer=prefer or 0)
        texts.put(ask, "key", key)
        others = ffi.new("uint16_t[]", list(refused))
        ask.refused, ask.refused_count = others, len(refused)
        member, returns_at = ffi.new("int32_t*"), ffi.new("int64_t*")
        call(lib.weir_balancer_pick, self._pointer, ask, to_now(now), member, returns_at)
        return Pick(member[0], returns_at[0])

    def unused(self, member: int) -> None:
        """The last pick of the member was of no use: its turn is given back."""
        call(lib.weir_balancer_unused, self._pointer, member)

    def started(self, member: int, *, now: Now | None = None) -> None:
        """A request went to the member."""
        call(lib.weir_balancer_started, self._pointer, member, to_now(now))

    def first_token(self, member: int, ttft_ns: int, *, now: Now | None = None) -> None:
        """Its first token came after so long."""
        call(lib.weir_balancer_first_token, self._pointer, member, ttft_ns, to_now(now))

    def finished(self, member: int, *, failed: bool = False, now: Now | None = None) -> None:
        """It ended; failed: by the member's fault."""
        call(lib.weir_balancer_finished, self._pointer, member, failed, to_now(now))

    def rest(self, member: int, until_mono_ns: int, why: Rest, *, now: Now | None = None) -> None:
        """The member is left alone until then (NEVER: until it is woken)."""
        call(lib.weir_balancer_rest, self._pointer, member, until_mono_ns, why, to_now(now))

    def wake(self, member: int, *, now: Now | None = None) -> None:
        """It rests no longer."""
        call(lib.weir_balancer_wake, self._pointer, member, to_now(now))

    def member_id(self, member: int) -> int:
        """A number for the member that tells nothing about it, for a cookie."""
        number: int = create(lib.weir_balancer_member_id, "uint64_t", self._pointer, member)
        return number

    def find_member(self, number: int) -> int:
        """The member that has the number; NotFoundError: none."""
        member: int = create(lib.weir_balancer_find_member, "int32_t", self._pointer, number)
        return member

    def report(self, *, now: Now | None = None) -> list[dict[str, Any]]:
        """The members as they stand, in the order given."""
        members: list[dict[str, Any]] = read_json(lib.weir_balancer_report_json, self._pointer,
                                                  to_now(now))
        return members
