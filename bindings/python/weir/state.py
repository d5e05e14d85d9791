"""State: the memory in which counters, circuits and balances live."""

from __future__ import annotations

import os
import secrets
from typing import Any, Union

from weir._boundary import Handle, Now, Owner, create, read_json, struct, to_now
from weir._weir import lib

Path = Union[str, bytes, "os.PathLike[str]"]


def random_seed() -> int:
    return secrets.randbits(64)


class State(Owner):
    """A block of memory: this process's own, or a file that all processes of a machine share and
    that outlives them. A child that forks off shares a file and has a copy of private memory.

    path: of the file, made on first use; empty: private memory. bytes, seed: of a new one.
    replace: a file of another format gives its name to a new one instead of an error.
    """

    __slots__ = ()

    def __init__(self, path: Path = "", *, bytes: int = 0, seed: int | None = None,
                 replace: bool = False) -> None:
        data = os.fsencode(path)
        options = struct("weir_state_options", bytes=bytes, replace=replace,
                         seed=random_seed() if seed is None else seed)
        self._own(Handle(create(lib.weir_state_open, "weir_state*", data, len(data), options),
                         lib.weir_state_free))


def state_report(path: Path, *, top: int = 10, now: Now | None = None) -> dict[str, Any]:
    """What a state file holds, for people who look: slots, counters, the `top` nearest to their
    amounts."""
    data = os.fsencode(path)
    report: dict[str, Any] = read_json(lib.weir_state_report_json, data, len(data), top,
                                       to_now(now))
    return report
