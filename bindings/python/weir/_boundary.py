"""Crossing into C: text, time, errors and the lifetime of handles."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self, Union

from weir._weir import ffi, lib
from weir.errors import CLASSES, InternalError, Status, WeirError

Text = Union[str, bytes]
"""Texts may be given as str, which stands for its UTF-8, or as any bytes."""

NEVER: int = lib.WEIR_NEVER
"""A time in nanoseconds that never comes: waiting does not help."""


class Now(NamedTuple):
    """The host's two clocks at one instant, for calls that take a time; without one they read the
    system's: time.monotonic_ns() and time.time_ns()."""

    mono_ns: int
    unix_ns: int


class _Scratch(threading.local):
    """Records that one call fills and that are read before the same thread makes another."""

    def __init__(self) -> None:
        self.error = ffi.new("weir_error*", {"size": ffi.sizeof("weir_error")})


scratch = _Scratch()


def to_bytes(text: Text) -> bytes:
    if not isinstance(text, str):
        return text
    try:
        return text.encode()
    except UnicodeEncodeError:  # halves of surrogate pairs: pairs are joined, the rest is U+FFFD
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def to_now(now: Now | None) -> Any:
    if now is None:
        at = ffi.new("weir_now*")
        lib.weir_python_now(at)
        return at
    return ffi.new("weir_now*", tuple(now))


def error_of(status: int, error: Any) -> WeirError:
    """The exception for a status that is not OK and the record that came with it."""
    cls = CLASSES.get(status, InternalError)
    if error.code != status:  # the call has no record, or left it alone
        return cls(Status(status), f"{cls.__name__}: not told why")
    message = ffi.string(error.message).decode("utf-8", "replace")
    return cls(Status(status), message, error.offset, error.line, error.column)


def call(function: Callable[..., int], *arguments: Any) -> None:
    """Calls a function whose last parameter is the error record."""
    error = scratch.error
    error.code = 0
    status = function(*arguments, error)
    if status != lib.WEIR_OK:
        raise error_of(status, error)


def create(function: Callable[..., int], kind: str, *arguments: Any) -> Any:
    """Calls a function that gives one handle or value of this C type."""
    out = ffi.new(kind + "*")
    call(function, *arguments, out)
    return out[0]


def struct(kind: str, **fields: Any) -> Any:
    """A new struct whose size is set."""
    return ffi.new(kind + "*", {"size": ffi.sizeof(kind), **fields})


class Texts:
    """C pointers to texts, valid for as long as this object is."""

    def __init__(self) -> None:
        self._kept: list[Any] = []

    def put(self, record: Any, field: str, text: Text) -> None:
        """Sets record.<field> and record.<field>_size."""
        data = to_bytes(text)
        pointer = ffi.from_buffer("char[]", data)
        self._kept.append(pointer)
        setattr(record, field, pointer)
        setattr(record, field + "_size", len(data))


def read_text(function: Callable[..., int], *arguments: Any) -> bytes:
    """Calls a function that writes a text into a buffer, with one that is large enough."""
    capacity = 4096
    needed = ffi.new("size_t*")
    error = scratch.error
    while True:
        buffer = ffi.new("char[]", capacity)
        error.code = 0
        status = function(*arguments, buffer, capacity, needed, error)
        if status == lib.WEIR_OK:
            return bytes(ffi.unpack(buffer, needed[0]))
        if status != lib.WEIR_OUT_OF_RANGE or needed[0] <= capacity:
            raise error_of(status, error)
        capacity = needed[0] + needed[0] // 4  # it may grow meanwhile


def read_json(function: Callable[..., int], *arguments: Any) -> Any:
    return json.loads(read_text(function, *arguments))


def read_view(function: Callable[..., int], *arguments: Any) -> bytes:
    """Calls a function that gives a view, and copies it."""
    view, size = ffi.new("const char**"), ffi.new("size_t*")
    status = function(*arguments, view, size)
    if status != lib.WEIR_OK:
        raise error_of(status, struct("weir_error"))
    return bytes(ffi.unpack(view[0], size[0])) if size[0] else b""


_uses_lock = threading.Lock()


class Handle:
    """A handle of C, freed once: after close() or collection of its owner, and after all handles
    that were made with it."""

    __slots__ = ("pointer", "_free", "_parent", "_uses")

    def __init__(self, pointer: Any, free: Callable[[Any], None],
                 parent: Handle | None = None) -> None:
        self.pointer = pointer
        self._free = free
        self._parent = parent
        self._uses = 1
        if parent is not None:
            with _uses_lock:
                parent._uses += 1

    def drop(self) -> None:
        with _uses_lock:
            self._uses -= 1
            if self._uses != 0:
                return
        self._free(self.pointer)
        if self._parent is not None:
            self._parent.drop()


class Owner:
    """An object that has a handle: close() or the end of a with block frees it, at the latest the
    garbage collector. A closed object answers every call with InvalidArgumentError."""

    __slots__ = ("_handle", "_pointer", "__weakref__")
    _handle: Handle | None

    def _own(self, handle: Handle) -> None:
        self._handle = handle
        self._pointer = handle.pointer

    def _parent_handle(self) -> Handle:
        if self._handle is None:
            raise CLASSES[Status.INVALID_ARGUMENT](Status.INVALID_ARGUMENT,
                                                   f"this {type(self).__name__} is closed")
        return self._handle

    def close(self) -> None:
        """Frees it now. No other thread may be using it. Closing again does nothing."""
        handle = getattr(self, "_handle", None)  # none: it could not be made
        if handle is not None:
            self._handle = None
            self._pointer = ffi.NULL
            handle.drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
