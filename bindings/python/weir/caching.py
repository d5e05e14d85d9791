"""Caching: values by a key, or by a vector near enough; and whether two texts can mean the same.
Without engine and policy."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, Union

from weir._boundary import (Handle, Now, Owner, Text, Texts, call, create, error_of, read_json,
                            scratch, struct, to_bytes, to_now)
from weir._weir import ffi, lib
from weir.errors import NotFoundError
from weir.state import Path, State, random_seed

Vector = Union[Sequence[float], memoryview, "array[float]"]
"""Floats in a row: a list, an array('f'), or whatever gives its float32 as a buffer (NumPy)."""


class Found(IntEnum):
    """How a look-up ended."""

    MISS = lib.WEIR_CACHE_MISS
    EXACT = lib.WEIR_CACHE_EXACT
    SEMANTIC = lib.WEIR_CACHE_SEMANTIC


class Miss(IntEnum):
    """Why nothing was found."""

    NONE = lib.WEIR_MISS_NONE
    NO_VECTOR = lib.WEIR_MISS_NO_VECTOR
    EMPTY_PARTITION = lib.WEIR_MISS_EMPTY_PARTITION
    BELOW_THRESHOLD = lib.WEIR_MISS_BELOW_THRESHOLD
    EXPIRED = lib.WEIR_MISS_EXPIRED
    OTHER_EMBEDDER = lib.WEIR_MISS_OTHER_EMBEDDER
    WRONG_DIMENSION = lib.WEIR_MISS_WRONG_DIMENSION
    BAD_VECTOR = lib.WEIR_MISS_BAD_VECTOR
    RACED = lib.WEIR_MISS_RACED
    REFUSED = lib.WEIR_MISS_REFUSED


class MeaningGuard(IntEnum):
    """What must agree in two texts."""

    NUMBERS = lib.WEIR_GUARD_NUMBERS
    DATES = lib.WEIR_GUARD_DATES
    NEGATION = lib.WEIR_GUARD_NEGATION
    OPPOSITES = lib.WEIR_GUARD_OPPOSITES
    ORDER = lib.WEIR_GUARD_ORDER
    QUESTION = lib.WEIR_GUARD_QUESTION
    QUOTES = lib.WEIR_GUARD_QUOTES
    CODE = lib.WEIR_GUARD_CODE
    NAMES = lib.WEIR_GUARD_NAMES
    LANGUAGE = lib.WEIR_GUARD_LANGUAGE
    WORDS = lib.WEIR_GUARD_WORDS
    LENGTH = lib.WEIR_GUARD_LENGTH


class CacheAnswer(NamedTuple):
    """What a cache answered; true when it has a value. similarity: of what was found, or of the
    nearest that was looked at (below -1: nothing was compared). entry: for touch and remove."""

    found: Found
    miss: Miss
    value: bytes | None
    similarity: float
    similarity_error: float
    entry: int
    age_ns: int

    def __bool__(self) -> bool:
        return self.found is not Found.MISS


class MeaningVerdict(NamedTuple):
    """Whether the answer to one text may answer another; true when it may. Else the guard that
    refused, and the pieces that differ."""

    allowed: bool
    guard: MeaningGuard | None
    asked: str
    stored: str

    def __bool__(self) -> bool:
        return self.allowed


def vector_in_c(vector: Vector | None) -> tuple[Any, int]:
    """The floats as C has them, and how many there are."""
    if vector is None:
        return ffi.NULL, 0
    try:
        view: memoryview | None = memoryview(vector)  # type: ignore[arg-type]
    except TypeError:
        view = None
    if view is None or view.format != "f" or not view.c_contiguous:
        floats = array("f", vector)
        return ffi.from_buffer("float[]", floats), len(floats)
    return ffi.from_buffer("float[]", view.cast("B")), view.nbytes // 4


class Cache(Owner):
    """Values by the key of a request, or by a vector of what it means, each in a partition (a
    tenant, say) that no other sees into.

    dimensions: of the vectors; 0: keys only. state: where it lives; None: private memory. The name
    tells it from others of the state. max_entries, max_partitions, bytes, value_bytes,
    partition_quota: 0: as weir_caching.h says. Any thread may use it.

        cache = weir.Cache("faq", dimensions=384)
        answer = cache.lookup(text, partition="red", vector=vector, min_similarity=0.95)
        if not answer: cache.insert(text, ask_the_model(), partition="red", vector=vector)
    """

    __slots__ = ()

    def __init__(self, name: Text = "cache", *, dimensions: int = 0, state: State | None = None,
                 max_entries: int = 0, max_partitions: int = 0, bytes: int = 0,
                 value_bytes: int = 0, partition_quota: int = 0, seed: int | None = None) -> None:
        options = struct("weir_cache_options", dimensions=dimensions, max_entries=max_entries,
                         max_partitions=max_partitions, bytes=bytes, value_bytes=value_bytes,
                         partition_quota=partition_quota,
                         seed=random_seed() if seed is None else seed)
        memory = ffi.NULL if state is None else state._parent_handle().pointer
        data = to_bytes(name)
        self._own(Handle(create(lib.weir_cache_new, "weir_cache*", memory, data, len(data),
                                options), lib.weir_cache_free))

    def lookup(self, key: Text = b"", *, partition: Text = b"", vector: Vector | None = None,
               min_similarity: float = 0.0, embedder: int = 0, epoch: int = 0,
               probe: bool = False, tentative: bool = False, exclude: Sequence[int] = (),
               now: Now | None = None) -> CacheAnswer:
        """The value of this very key, or of the most similar vector that reaches min_similarity.
        embedder, epoch: what made the vector; only vectors of the same are compared. probe:
        another look-up for the same request may follow, so that a miss is not counted. tentative:
        nothing is counted until confirm. exclude: up to four entries that were refused, not to be
        found by meaning."""
        texts = Texts()
        query = struct("weir_cache_query", min_similarity=min_similarity, embedder_id=embedder,
                       embedder_epoch=epoch, is_probe=probe, is_tentative=tentative,
                       exclude=list(exclude))
        texts.put(query, "key", key)
        texts.put(query, "partition", partition)
        floats, query.vector_size = vector_in_c(vector)
        query.vector = floats
        answer, needed, at = struct("weir_cache_answer"), ffi.new("size_t*"), to_now(now)
        error, capacity = scratch.error, 4096
        while True:
            buffer = ffi.new("char[]", capacity)
            error.code = 0
            status = lib.weir_cache_lookup(self._pointer, query, at, buffer, capacity, needed,
                                           answer, error)
            if status == lib.WEIR_OK:
                break
            if status != lib.WEIR_OUT_OF_RANGE or needed[0] <= capacity:
                raise error_of(status, error)
            capacity = needed[0]
        found = Found(answer.found)
        value = None if found is Found.MISS else ffi.buffer(buffer, needed[0])[:]
        return CacheAnswer(found, Miss(answer.miss), value, answer.similarity,
                           answer.similarity_error, answer.entry, answer.age_ns)

    def confirm(self, answer: CacheAnswer, given: bool) -> None:
        """What became of a tentative look-up's answer: a hit that was given is counted, and as use;
        one that was refused is a miss."""
        told = struct("weir_cache_answer", found=int(answer.found), miss=int(answer.miss),
                      similarity=answer.similarity, entry=answer.entry)
        call(lib.weir_cache_confirm, self._pointer, told, given)

    def insert(self, key: Text, value: Text, *, partition: Text = b"",
               vector: Vector | None = None, ttl_ns: int = 0, embedder: int = 0, epoch: int = 0,
               model: int = 0, scope: int = 0, worth: int = 0, now: Now | None = None) -> int:
        """Keeps a value, in place of that of the same partition and key; gives the entry. ttl_ns:
        0: no end. model, scope: numbers to purge by. worth: 0 to 3, how many rounds longer it
        stays than others when room is short."""
        texts = Texts()
        entry = struct("weir_cache_entry", ttl_ns=ttl_ns, embedder_id=embedder,
                       embedder_epoch=epoch, model=model, scope=scope, worth=worth)
        texts.put(entry, "key", key)
        texts.put(entry, "partition", partition)
        texts.put(entry, "value", value)
        floats, entry.vector_size = vector_in_c(vector)
        entry.vector = floats
        number: int = create(lib.weir_cache_insert, "uint64_t", self._pointer, entry, to_now(now))
        return number

    def touch(self, entry: int, ttl_ns: int = 0, *, now: Now | None = None) -> bool:
        """Counts as use; with a ttl_ns above 0 it lives that long from now. False: it is gone."""
        try:
            call(lib.weir_cache_touch, self._pointer, entry, ttl_ns, to_now(now))
        except NotFoundError:
            return False
        return True

    def remove(self, entry: int) -> bool:
        """False: it was gone."""
        try:
            call(lib.weir_cache_remove, self._pointer, entry)
        except NotFoundError:
            return False
        return True

    def purge(self, *, partition: Text | None = None, model: int | None = None,
              scope: int | None = None) -> int:
        """Removes the entries of a partition, a model or a scope, one of them; all of them when
        none is named. How many there were."""
        named = [given for given in (partition, model, scope) if given is not None]
        if len(named) > 1:
            raise TypeError("purge takes one of partition, model and scope")
        which, tag, data = lib.WEIR_PURGE_ALL, 0, b""
        if partition is not None:
            which, data = lib.WEIR_PURGE_PARTITION, to_bytes(partition)
        elif model is not None:
            which, tag = lib.WEIR_PURGE_MODEL, model
        elif scope is not None:
            which, tag = lib.WEIR_PURGE_SCOPE, scope
        removed: int = create(lib.weir_cache_purge, "uint64_t", self._pointer, which, data,
                              len(data), tag)
        return removed

    def stats(self) -> dict[str, Any]:
        """Hits, misses by reason, entries and more, of all processes since the cache was made."""
        stats: dict[str, Any] = read_json(lib.weir_cache_stats_json, self._pointer)
        return stats


def cache_report(path: Path, *, top: int = 10, now: Now | None = None) -> list[dict[str, Any]]:
    """The caches in a state file, for people who look, with the `top` partitions of each that
    have the most entries."""
    data = os.fsencode(path)
    report: list[dict[str, Any]] = read_json(lib.weir_cache_report_json, data, len(data), top,
                                             to_now(now))["caches"]
    return report


def lexical_embed(text: Text, dimensions: int = 512) -> array[float] | None:
    """A vector of the text's words and groups of letters: near for texts that share their wording.
    None: the text has no word."""
    data, vector = to_bytes(text), array("f", bytes(4 * dimensions))
    try:
        call(lib.weir_lexical_embed, data, len(data), ffi.from_buffer("float[]", vector),
             dimensions)
    except NotFoundError:
        return None
    return vector


def compare_meaning(asked: Text, stored: Text,
                    guards: Iterable[MeaningGuard] | None = None) -> MeaningVerdict:
    """Whether an answer to `stored` may answer `asked`, by these guards; None: all but WORDS."""
    one, other, verdict = to_bytes(asked), to_bytes(stored), struct("weir_meaning_verdict")
    chosen = 0 if guards is None else sum(1 << guard for guard in set(guards))
    if guards is not None and chosen == 0:
        return MeaningVerdict(True, None, "", "")
    call(lib.weir_meaning_compare, one, len(one), other, len(other), chosen, verdict)
    pieces = [ffi.buffer(piece)[:size].decode("utf-8", "replace")
              for piece, size in ((verdict.asked, verdict.asked_size),
                                  (verdict.stored, verdict.stored_size))]
    guard = None if verdict.allowed else MeaningGuard(verdict.guard)
    return MeaningVerdict(bool(verdict.allowed), guard, *pieces)
