"""What a call that went wrong raises: one class for each status of weir.h.

A refusal by policy is no error: it is an action, or a decision that is not admitted.
"""

from __future__ import annotations

from enum import IntEnum

from weir._weir import lib


class Status(IntEnum):
    """weir_status: the canonical numbers of Abseil and gRPC."""

    OK = lib.WEIR_OK
    INVALID_ARGUMENT = lib.WEIR_INVALID_ARGUMENT
    NOT_FOUND = lib.WEIR_NOT_FOUND
    PERMISSION_DENIED = lib.WEIR_PERMISSION_DENIED
    RESOURCE_EXHAUSTED = lib.WEIR_RESOURCE_EXHAUSTED
    FAILED_PRECONDITION = lib.WEIR_FAILED_PRECONDITION
    OUT_OF_RANGE = lib.WEIR_OUT_OF_RANGE
    UNIMPLEMENTED = lib.WEIR_UNIMPLEMENTED
    INTERNAL = lib.WEIR_INTERNAL


class WeirError(Exception):
    """A call that went wrong.

    code: its Status. offset, line, column: where the first fault of a document is (line and column
    from 1; all 0 where that means nothing). message: the text without the place.
    """

    def __init__(self, code: Status, message: str, offset: int = 0, line: int = 0,
                 column: int = 0) -> None:
        super().__init__(code, message, offset, line, column)
        self.code = code
        self.message = message
        self.offset = offset
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return self.message or self.code.name


class InvalidArgumentError(WeirError, ValueError):
    """An argument, a document or a body is not sound."""


class NotFoundError(WeirError, LookupError):
    """There is nothing of that name."""


class PermissionDeniedError(WeirError):
    """The system does not let this process at a file."""


class ResourceExhaustedError(WeirError):
    """Out of memory, or a named bound was reached."""


class FailedPreconditionError(WeirError):
    """The call does not belong here in the order of calls, or a file is of another kind."""


class OutOfRangeError(WeirError, IndexError):
    """No such index."""


class UnimplementedError(WeirError, NotImplementedError):
    """This build or this system cannot do it."""


class InternalError(WeirError):
    """weir's own fault."""


CLASSES: dict[int, type[WeirError]] = {
    Status.INVALID_ARGUMENT: InvalidArgumentError,
    Status.NOT_FOUND: NotFoundError,
    Status.PERMISSION_DENIED: PermissionDeniedError,
    Status.RESOURCE_EXHAUSTED: ResourceExhaustedError,
    Status.FAILED_PRECONDITION: FailedPreconditionError,
    Status.OUT_OF_RANGE: OutOfRangeError,
    Status.UNIMPLEMENTED: UnimplementedError,
    Status.INTERNAL: InternalError,
}
