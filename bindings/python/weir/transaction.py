"""Transaction: one client request, from its head to the last byte of its answer."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Any, Union

from weir._boundary import Now, Text, call, error_of, read_text, scratch, to_bytes, to_now
from weir._weir import ffi, lib
from weir.caching import Vector, vector_in_c
from weir.errors import InvalidArgumentError, Status

if TYPE_CHECKING:
    from weir.engine import Engine

HeaderList = list[tuple[bytes, bytes]]
Headers = Union[Iterable[tuple[Text, Text]], Mapping[str, Text]]


class ActionKind(IntEnum):
    """What the host is to do next."""

    CONTINUE = lib.WEIR_ACTION_CONTINUE
    FORWARD = lib.WEIR_ACTION_FORWARD
    REPLY = lib.WEIR_ACTION_REPLY
    CALL = lib.WEIR_ACTION_CALL
    WAIT = lib.WEIR_ACTION_WAIT
    FINISH = lib.WEIR_ACTION_FINISH
    DONE = lib.WEIR_ACTION_DONE


class Failure(IntEnum):
    """How an attempt ended without a (complete) answer."""

    CONNECT = lib.WEIR_FAILURE_CONNECT
    TIMEOUT = lib.WEIR_FAILURE_TIMEOUT
    RESET = lib.WEIR_FAILURE_RESET


class HeaderOperation(IntEnum):
    """SET replaces every header of the name, REMOVE removes them, ADD adds one more."""

    SET = lib.WEIR_HEADER_SET
    REMOVE = lib.WEIR_HEADER_REMOVE
    ADD = lib.WEIR_HEADER_ADD


HeaderEdit = tuple[HeaderOperation, bytes, bytes]
"""Operation, name in lower case, and value."""

# Members by their numbers: making one by calling the class takes longer than a call of C.
_KINDS: dict[int, ActionKind] = {kind.value: kind for kind in ActionKind}
_OPERATIONS: dict[bytes, HeaderOperation] = {b"%d" % each: each for each in HeaderOperation}
_operation = _OPERATIONS.__getitem__
_REMOVE, _ADD = HeaderOperation.REMOVE, HeaderOperation.ADD
_SETS = b"%d" % HeaderOperation.SET
_ADDS = b"%d" % HeaderOperation.ADD
_KIND: int = lib.WEIR_PYTHON_KIND
_INPUT: int = lib.WEIR_PYTHON_INPUT
_BODY: int = lib.WEIR_PYTHON_BODY
_RECORD: int = lib.WEIR_PYTHON_RECORD
_STATUS: int = lib.WEIR_PYTHON_STATUS
_NULL = ffi.NULL

_unpack = ffi.unpack
_read_record = struct.Struct("=qqQI?3xII").unpack_from  # weir_python_record
_RECORD_SIZE: int = ffi.sizeof("weir_python_record")


class Action:
    """What to do next.

    CONTINUE  feed more. After a response head: relay `status` and the backend's headers with
              `edits`. After response bytes: relay `body`.
    FORWARD   send the request to `url` with `target`, the client's headers with `edits`, and
              `body`; give up at deadline_mono_ns (0: never) with Failure.TIMEOUT.
    REPLY     answer the client with `status`, `edits` as headers, and `body`.
    CALL      perform a side request (url, target, edits as headers, body) and feed what came of it
              to call_result() with call_id. An empty url asks the host itself for the vector of
              the text `body`, by the embedder `target`: call_vector().
    WAIT      call next() again at deadline_mono_ns; 0: feed the answer under way first.
    FINISH    stop the upstream, send `body` to the client, end the answer.
    DONE      the answer is complete; relay `body`. `edits` are for a host that held the head back.

    attempt: FORWARD: 1, 2, … wake_mono_ns: FORWARD: call next() again then if no answer has begun,
    for another attempt beside this one (parallel); a host need not.
    """

    kind: ActionKind
    status: int
    body: bytes
    url: str = ""
    target: str = ""
    _lines: Sequence[bytes] = (b"",)  # of the edits: operation, name, value; and what ends them
    attempt: int = 0
    call_id: int = 0
    deadline_mono_ns: int = 0
    wake_mono_ns: int = 0
    parallel: bool = False

    def __init__(self, x: Any, what: int, fed: bytes) -> None:
        self.kind = _KINDS[what & _KIND]
        self.status = what // _STATUS
        if what & _INPUT:
            self.body = fed
        else:
            self.body = _unpack(x.body, x.body_size) if what & _BODY else b""
        if what & _RECORD:
            record = x.record
            self._read(_unpack(record.bytes, record.size))

    def _read(self, record: bytes) -> None:
        (self.deadline_mono_ns, self.wake_mono_ns, self.call_id, self.attempt, self.parallel,
         url_size, target_size) = _read_record(record)
        at = _RECORD_SIZE
        if url_size or target_size:
            at += url_size
            self.url = record[_RECORD_SIZE:at].decode()
            self.target = record[at:at + target_size].decode("utf-8", "surrogateescape")
            at += target_size
        self._lines = record[at:].split(b"\n")

    @property
    def edits(self) -> list[HeaderEdit]:
        """What to do to the headers, in this order; edit() does it."""
        lines = self._lines
        return list(zip(map(_operation, lines[:-1:3]), lines[1::3], lines[2::3]))

    @edits.setter
    def edits(self, edits: Iterable[HeaderEdit]) -> None:
        self._lines = [part for operation, name, value in edits
                       for part in (b"%d" % operation, name, value)] + [b""]

    def edit(self, headers: Iterable[tuple[bytes, bytes]]) -> HeaderList:
        """These headers with the edits carried out."""
        lines = self._lines
        operations = lines[:-1:3]
        values = dict(zip(lines[1::3], lines[2::3]))
        if len(values) != len(operations) or _ADDS in operations:
            return _edit_one_by_one(headers, self.edits)
        edited = [header for header in headers if header[0].lower() not in values]
        if operations.count(_SETS) == len(operations):
            edited += values.items()
        else:
            edited += [pair for operation, pair in zip(operations, values.items())
                       if operation == _SETS]
        return edited

    def __repr__(self) -> str:
        return f"<weir.Action {self.kind.name} status={self.status} url={self.url!r}>"


def _edit_one_by_one(headers: Iterable[tuple[bytes, bytes]],
                     edits: Sequence[HeaderEdit]) -> HeaderList:
    edited = list(headers)
    for operation, name, value in edits:
        if operation is not _ADD:
            edited = [header for header in edited if header[0].lower() != name]
        if operation is not _REMOVE:
            edited.append((name, value))
    return edited


def _pairs(headers: Headers) -> tuple[bytes, int, int]:
    """A line for each name and value, the size of it all, and how many pairs there are."""
    if type(headers) is not list and isinstance(headers, Mapping):  # asking that takes its time
        headers = headers.items()
    flat: list[Any] = list(chain.from_iterable(headers))
    try:
        text = b"\n".join(flat)
    except TypeError:
        text = b"\n".join([to_bytes(part) for part in flat])
    return text, len(text), len(flat) // 2


class Transaction:
    """One client request. Engine.transaction() makes one; close() or the end of a with block, at
    the latest the garbage collector, settles what is still open. One thread at a time uses it.

    The methods feed what the host saw and return what it is to do. `now` may be left out
    everywhere: the system's clocks.
    """

    __slots__ = ("_x",)

    def __init__(self, engine: Engine) -> None:
        self._x = _NULL
        error = scratch.error
        x = lib.weir_python_open(engine._pointer, error)
        if not x:
            raise error_of(error.code, error)
        self._x = x

    def attribute(self, name: Text, value: Text) -> None:
        """A free attribute for the policy's expressions (attr.<name>), before the request."""
        name, value = to_bytes(name), to_bytes(value)
        self._feed(lib.weir_txn_attribute, name, len(name), value, len(value))

    def request(self, method: Text, target: Text, headers: Headers = (), body: Text = b"", *,
                client: Text = b"", now: Now | None = None) -> Action:
        """A whole request: FORWARD, REPLY, WAIT or CALL. target: the path with its query, as
        received. client: the client's address, for expressions."""
        x = self._x or self._open()
        if isinstance(method, str):
            method = to_bytes(method)
        if isinstance(target, str):
            target = to_bytes(target)
        if isinstance(client, str):
            client = to_bytes(client)
        if isinstance(body, str):
            body = to_bytes(body)
        pairs, pairs_size, count = _pairs(headers)
        what = lib.weir_python_request(
            x, method, len(method), target, len(target), client, len(client), pairs, pairs_size,
            count, body, len(body), _NULL if now is None else to_now(now))
        if what < 0:
            raise error_of(-what, x.error)
        return Action(x, what, b"")

    def request_head(self, method: Text, target: Text, headers: Headers = (), *,
                     client: Text = b"", now: Now | None = None) -> Action:
        """The head alone, where the body comes in pieces: CONTINUE or REPLY."""
        method, target, client = to_bytes(method), to_bytes(target), to_bytes(client)
        return self._decide(lib.weir_python_request_head, now, b"", method, len(method), target,
                            len(target), client, len(client), *_pairs(headers))

    def request_body(self, piece: Text) -> None:
        """A piece of the request's body."""
        data = to_bytes(piece)
        self._feed(lib.weir_txn_request_body, data, len(data))

    def request_end(self, *, now: Now | None = None) -> Action:
        """The request is complete: FORWARD, REPLY, WAIT or CALL."""
        return self._decide(lib.weir_python_request_end, now, b"", _NULL, 0)

    def response(self, status: int, headers: Headers = (), body: bytes = b"", *,
                 now: Now | None = None) -> Action:
        """A whole answer. DONE or FINISH: relay the action's status, the backend's headers with
        all edits, and the body. FORWARD, REPLY or WAIT: the backend's answer is not wanted."""
        x = self._x or self._open()
        pairs, pairs_size, count = _pairs(headers)
        what = lib.weir_python_response(x, status, pairs, pairs_size, count, body, len(body),
                                        _NULL if now is None else to_now(now))
        if what < 0:
            raise error_of(-what, x.error)
        return Action(x, what, body)

    def response_from(self, attempt: int) -> None:
        """The attempt that the next calls feed, where several are under way."""
        self._feed(lib.weir_txn_response_from, attempt)

    def response_head(self, status: int, headers: Headers = (), *,
                      now: Now | None = None) -> Action:
        """The backend began to answer: CONTINUE, or FORWARD, REPLY or WAIT: its answer is not
        wanted."""
        return self._decide(lib.weir_python_response_head, now, b"", status, *_pairs(headers))

    def response_body(self, piece: bytes, *, now: Now | None = None) -> Action:
        """A piece of the answer's body, as it came: CONTINUE, FINISH or DONE."""
        x = self._x or self._open()
        what = lib.weir_python_response_body(x, piece, len(piece),
                                             _NULL if now is None else to_now(now))
        if what < 0:
            raise error_of(-what, x.error)
        return Action(x, what, piece)

    def response_end(self, *, now: Now | None = None) -> Action:
        """The answer is complete, as its framing says."""
        return self._decide(lib.weir_python_response_end, now, b"")

    def response_failed(self, failure: Failure, *, now: Now | None = None) -> Action:
        """The attempt failed, before or in the middle of its answer."""
        return self._decide(lib.weir_python_response_failed, now, b"", failure)

    def call_result(self, call_id: int, status: int, body: Text = b"", *,
                    now: Now | None = None) -> Action:
        """The answer to a CALL; status 0: it failed."""
        data = to_bytes(body)
        self._feed(lib.weir_txn_call_result, call_id, status, data, len(data))
        return self.next(now=now)

    def call_vector(self, call_id: int, vector: Vector, *, now: Now | None = None) -> Action:
        """The same for a CALL that asks for a vector (its url is empty), by a host that has it."""
        floats, count = vector_in_c(vector)
        self._feed(lib.weir_txn_call_vector, call_id, floats, count)
        return self.next(now=now)

    def next(self, *, now: Now | None = None) -> Action:
        """Asks again, after a WAIT."""
        return self._decide(lib.weir_python_next, now, b"")

    def client_left(self, *, now: Now | None = None) -> None:
        """The client is gone: what is still open is settled now."""
        self._feed(lib.weir_txn_client_left, to_now(now))

    def explain(self) -> dict[str, Any]:
        """What was decided and why; no credential and no prompt text is in it."""
        explanation: dict[str, Any] = json.loads(self.explain_json())
        return explanation

    def explain_json(self) -> bytes:
        """The same as the text of one JSON object, for a log."""
        return read_text(lib.weir_txn_explain, self._open().txn)

    def ledger_line(self) -> bytes:
        """The line of a transaction that has ended, for hosts that keep lines elsewhere than in a
        Ledger: the same, of the same id, whenever it is asked for."""
        return read_text(lib.weir_txn_ledger_line, self._open().txn)

    def add_overhead(self, ns: int) -> None:
        """Time that weir took in this exchange, measured by the host round its calls; added up, it
        becomes one observation of weir.overhead at the end."""
        self._feed(lib.weir_txn_add_overhead, ns)

    def close(self) -> None:
        """Ends it; what is still open is settled. Closing again does nothing."""
        x = self._x
        if x:
            self._x = _NULL
            lib.weir_python_close(x)

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        x = self._x
        if x:
            lib.weir_python_close(x)

    def _open(self) -> Any:
        if not self._x:
            raise InvalidArgumentError(Status.INVALID_ARGUMENT, "this Transaction is closed")
        return self._x

    def _feed(self, function: Callable[..., int], *arguments: Any) -> None:
        """Calls a function of weir.h that decides nothing."""
        call(function, self._open().txn, *arguments)

    def _decide(self, function: Callable[..., int], now: Now | None, fed: bytes,
                *arguments: Any) -> Action:
        """Calls a function of boundary.h."""
        x = self._x or self._open()
        what = function(x, *arguments, _NULL if now is None else to_now(now))
        if what < 0:
            raise error_of(-what, x.error)
        return Action(x, what, fed)
