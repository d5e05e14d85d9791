"""Bookkeeping: ledger files, which invoices are made from: one JSON line for each exchange."""

from __future__ import annotations

import os
from enum import IntEnum
from typing import NamedTuple

from weir._boundary import (Handle, Now, Owner, Text, call, create, error_of, read_text, scratch,
                            struct, to_bytes, to_now)
from weir._weir import ffi, lib
from weir.state import Path
from weir.transaction import Transaction


class LineOutcome(IntEnum):
    """What became of a line. WRITTEN: the system has it, it survives this process. SPOOLED: this
    process has it, and tries again. DROPPED: neither disk nor memory had room."""

    WRITTEN = lib.WEIR_LEDGER_WRITTEN
    SPOOLED = lib.WEIR_LEDGER_SPOOLED
    DROPPED = lib.WEIR_LEDGER_DROPPED


class WhenFull(IntEnum):
    """What is done with a line that neither the disk nor the spool takes. REFUSE: append raises
    ResourceExhaustedError, and accepts() is false while there is still room for what is under
    way."""

    DROP_AND_COUNT = lib.WEIR_LEDGER_DROP_AND_COUNT
    REFUSE = lib.WEIR_LEDGER_REFUSE


class CostVerdict(IntEnum):
    """How a line's cost stands to what its own usage and price row come to."""

    AGREES = lib.WEIR_LEDGER_COST_AGREES
    DIFFERS = lib.WEIR_LEDGER_COST_DIFFERS
    UNKNOWN = lib.WEIR_LEDGER_COST_UNKNOWN


class LedgerStatus(NamedTuple):
    """What this process did to a ledger. last_error: errno of the last failed write. spooled_…: in
    memory now. torn_tails: ends that somebody else left without a line feed."""

    written_lines: int
    written_bytes: int
    spooled_lines: int
    spooled_bytes: int
    dropped_lines: int
    failed_writes: int
    rotations: int
    torn_tails: int
    last_error: int


class Ledger(Owner):
    """A ledger file, made if need be. Any number of processes append to one file, each with a
    Ledger of its own, and any thread may use one.

    when_full: see WhenFull. rotate_bytes: a file of so many is renamed to FILE.<time>; rotate_ms:
    and at each multiple of this since 1970 (86400000: midnight, UTC); 0: never. spool_bytes: memory
    for lines that the disk does not take; 0: 4 MiB.

        with weir.Ledger("ledger.jsonl") as ledger, engine.transaction() as txn:
            ...  # until REPLY, FINISH or DONE
            ledger.append(txn)
    """

    __slots__ = ()

    def __init__(self, path: Path, *, when_full: WhenFull = WhenFull.DROP_AND_COUNT,
                 rotate_bytes: int = 0, rotate_ms: int = 0, spool_bytes: int = 0,
                 now: Now | None = None) -> None:
        data = os.fsencode(path)
        options = struct("weir_ledger_options", on_full=when_full, rotate_bytes=rotate_bytes,
                         rotate_ms=rotate_ms, spool_bytes=spool_bytes)
        self._own(Handle(create(lib.weir_ledger_open, "weir_ledger*", data, len(data), options,
                                to_now(now)), lib.weir_ledger_free))

    def append(self, txn: Transaction, *, now: Now | None = None) -> LineOutcome:
        """Appends the line of a transaction that has ended (REPLY, FINISH, DONE or client_left).
        FailedPreconditionError: it has not, or its line was taken already."""
        outcome = ffi.new("int32_t*")
        call(lib.weir_ledger_append, self._pointer, txn._open().txn, to_now(now), outcome)
        return LineOutcome(outcome[0])

    def append_line(self, line: Text, *, now: Now | None = None) -> LineOutcome:
        """Appends a line that Transaction.ledger_line gave, as it is."""
        data = to_bytes(line)
        outcome = ffi.new("int32_t*")
        call(lib.weir_ledger_append_line, self._pointer, data, len(data), to_now(now), outcome)
        return LineOutcome(outcome[0])

    def accepts(self, *, now: Now | None = None) -> bool:
        """False: refuse requests, for their lines might find no room. Always true with
        WhenFull.DROP_AND_COUNT."""
        return bool(create(lib.weir_ledger_accepts, "int32_t", self._pointer, to_now(now)))

    def flush(self, *, sync: bool = False, now: Now | None = None) -> None:
        """Writes what is in memory, and with sync waits until the disk has everything."""
        call(lib.weir_ledger_flush, self._pointer, sync, to_now(now))

    def status(self) -> LedgerStatus:
        """What this process did."""
        status = struct("weir_ledger_status")
        code = lib.weir_ledger_read_status(self._pointer, status)
        if code != lib.WEIR_OK:
            error = scratch.error
            error.code = 0
            raise error_of(code, error)
        return LedgerStatus(*(getattr(status, name) for name in LedgerStatus._fields))


def recompute_cost(line: Text) -> tuple[CostVerdict, int]:
    """Works a ledger line's cost out again: how the stated one stands to it, and what it ought to
    be, in micro-USD. InvalidArgumentError: it is no line of a ledger."""
    data = to_bytes(line)
    verdict, micro_usd = ffi.new("int32_t*"), ffi.new("uint64_t*")
    call(lib.weir_ledger_recompute, data, len(data), verdict, micro_usd)
    return CostVerdict(verdict[0]), micro_usd[0]


class OtlpKind(IntEnum):
    """What lines are made into: SPANS for /v1/traces of an OpenTelemetry collector, LOG_RECORDS
    for /v1/logs."""

    SPANS = lib.WEIR_OTLP_SPANS
    LOG_RECORDS = lib.WEIR_OTLP_LOG_RECORDS


def otlp_json(kind: OtlpKind, lines: Text, *, service_name: Text = "") -> tuple[bytes, int]:
    """OTLP/HTTP JSON of ledger lines, one span or log record each, by OpenTelemetry's GenAI
    conventions, and how many lines were none and are passed over. No bytes: there is nothing to
    send."""
    name, data, poison = to_bytes(service_name), to_bytes(lines), ffi.new("uint64_t*")
    text = read_text(lib.weir_ledger_otlp, kind, name, len(name), data, len(data), poison)
    return text, poison[0]
