"""Counting: texts, whole requests, and answers as they pass."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, AnyStr, NamedTuple, Union

from weir._boundary import (Handle, Owner, Text, Texts, call, create, error_of, read_json,
                            read_text, read_view, scratch, struct, to_bytes)
from weir._weir import ffi, lib

_FAILED = 2**64 - 1  # of weir_python_count


class Dialect(IntEnum):
    """Whose wire format."""

    OPENAI = lib.WEIR_DIALECT_OPENAI
    AZURE_OPENAI = lib.WEIR_DIALECT_AZURE_OPENAI
    ANTHROPIC = lib.WEIR_DIALECT_ANTHROPIC
    GEMINI = lib.WEIR_DIALECT_GEMINI
    BEDROCK = lib.WEIR_DIALECT_BEDROCK


class Operation(IntEnum):
    """What is asked; CHAT is also Anthropic's messages and the like of the others."""

    CHAT = lib.WEIR_OPERATION_CHAT
    RESPONSES = lib.WEIR_OPERATION_RESPONSES
    COMPLETIONS = lib.WEIR_OPERATION_COMPLETIONS
    EMBEDDINGS = lib.WEIR_OPERATION_EMBEDDINGS


class Provenance(IntEnum):
    """How sure a number of tokens is."""

    EXACT = lib.WEIR_PROVENANCE_EXACT
    PROVIDER = lib.WEIR_PROVENANCE_PROVIDER
    UPPER_BOUND = lib.WEIR_PROVENANCE_UPPER_BOUND
    ESTIMATED = lib.WEIR_PROVENANCE_ESTIMATED


class Unread(IntEnum):
    """Why (the rest of) an answer was not read."""

    NOTHING = lib.WEIR_UNREAD_NOTHING
    UNKNOWN_ENCODING = lib.WEIR_UNREAD_UNKNOWN_ENCODING
    CORRUPT_ENCODING = lib.WEIR_UNREAD_CORRUPT_ENCODING
    TOO_LARGE = lib.WEIR_UNREAD_TOO_LARGE


class Tokenizer(Owner):
    """Counts, encodes and decodes as the library that defines the tokenizer does.

    Tokenizer("gpt-4o") is the built-in one of a model, Tokenizer("o200k_base") that of this name;
    Tokenizer.load reads a file. Any thread may use it.
    """

    __slots__ = ()

    def __init__(self, name: Text) -> None:
        data = to_bytes(name)
        pointer = create(lib.weir_tokenizer_find, "const weir_tokenizer*", data, len(data))
        self._own(Handle(pointer, lambda _: None))

    @classmethod
    def load(cls, source: Union[bytes, str, os.PathLike[str]], name: Text = "",
             pattern: Text = "") -> Tokenizer:
        """A tokenizer.json, a SentencePiece .model or a .tiktoken file: its path, or its bytes.
        `pattern` says how a rank file splits texts: an encoding's name, or a regular expression."""
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        if not name and not isinstance(source, bytes):
            name = Path(source).name
        name, pattern = to_bytes(name), to_bytes(pattern)
        self = cls.__new__(cls)
        self._own(Handle(create(lib.weir_tokenizer_load, "weir_tokenizer*", name, len(name), data,
                                len(data), pattern, len(pattern)), lib.weir_tokenizer_free))
        return self

    @property
    def name(self) -> str:
        return read_view(lib.weir_tokenizer_name, self._pointer).decode()

    def count(self, text: Text) -> int:
        """The number of tokens of a text."""
        data = to_bytes(text)
        error = scratch.error
        count: int = lib.weir_python_count(self._pointer, data, len(data), error)
        if count == _FAILED:
            raise error_of(error.code, error)
        return count

    def count_up_to(self, text: Text, limit: int) -> int:
        """The same if it is at most `limit`, else some number above it, sooner."""
        data = to_bytes(text)
        count: int = create(lib.weir_tokenizer_count_up_to, "uint64_t", self._pointer, data,
                            len(data), limit)
        return count

    def encode(self, text: Text, *, specials: bool = False) -> list[int]:
        """The token ids of a text. With `specials`, where the text of a special token stands it is
        that token: only for text that nobody else has written."""
        function = (lib.weir_tokenizer_encode_with_specials if specials
                    else lib.weir_tokenizer_encode)
        data = to_bytes(text)
        capacity = len(data) + 16  # there are hardly ever more tokens than bytes
        needed = ffi.new("size_t*")
        while True:
            ids = ffi.new("uint32_t[]", capacity)
            error = scratch.error
            status = function(self._pointer, data, len(data), ids, capacity, needed, error)
            if status == lib.WEIR_OK:
                return list(ffi.unpack(ids, needed[0]))
            if status != lib.WEIR_OUT_OF_RANGE:
                raise error_of(status, error)
            capacity = needed[0]

    def decode(self, ids: Sequence[int]) -> bytes:
        """The bytes that ids stand for; there may be parts of characters at the ends."""
        return read_text(lib.weir_tokenizer_decode, self._pointer, list(ids), len(ids))

    def split(self, text: AnyStr, max_tokens: int) -> tuple[AnyStr, AnyStr]:
        """The longest beginning of at most `max_tokens` tokens that ends with a whole token and a
        whole character, and the rest."""
        data = to_bytes(text)
        size: int = create(lib.weir_tokenizer_split, "size_t", self._pointer, data, len(data),
                           max_tokens)
        if isinstance(text, str):
            size = len(data[:size].decode())
        return text[:size], text[size:]


def encodings() -> list[str]:
    """The names of the built-in encodings."""
    names: list[str] = []
    view, size = ffi.new("const char**"), ffi.new("size_t*")
    while lib.weir_encoding_name(len(names), view, size) == lib.WEIR_OK:
        names.append(ffi.unpack(view[0], size[0]).decode())
    return names


def encoding_for_model(model: Text) -> str:
    """The encoding that a model uses: "gpt-4o-2024-08-06" has "o200k_base"."""
    data = to_bytes(model)
    view, size = ffi.new("const char**"), ffi.new("size_t*")
    call(lib.weir_encoding_for_model, data, len(data), view, size)
    encoding: bytes = ffi.unpack(view[0], size[0])
    return encoding.decode()


def set_piece_cache(on: bool) -> None:
    """Whether built-in tokenizers remember the pieces that they merged (3.5 MiB an encoding)."""
    lib.weir_tokenizer_set_piece_cache(on)


class TokenCounter(Owner):
    """The tokens of a text that comes in pieces; exact for any cuts. One thread at a time."""

    __slots__ = ()

    def __init__(self, tokenizer: Tokenizer) -> None:
        parent = tokenizer._parent_handle()
        pointer = create(lib.weir_token_counter_new, "weir_token_counter*", parent.pointer)
        self._own(Handle(pointer, lib.weir_token_counter_free, parent))

    def append(self, text: Text) -> None:
        data = to_bytes(text)
        call(lib.weir_token_counter_append, self._pointer, data, len(data))

    def total(self) -> int:
        """The tokens of all the text so far. Counts its end again: not for every byte."""
        count: int = create(lib.weir_token_counter_total, "uint64_t", self._pointer)
        return count


class PromptCount(NamedTuple):
    """The prompt tokens of a request. is_guess: what it is was told by the body's shape.
    model_known: counted with the model's own tokenizer."""

    prompt_tokens: int
    provenance: Provenance
    dialect: Dialect
    operation: Operation
    is_guess: bool
    model_known: bool


Body = Union[str, bytes, Mapping[str, Any]]


def _body_bytes(body: Body) -> bytes:
    if isinstance(body, Mapping):
        return to_bytes(json.dumps(body, ensure_ascii=False))
    return to_bytes(body)


def _request_options(texts: Texts, target: Text, model: Text, dialect: int, operation: int,
                     tokenizer: Tokenizer | None, is_standin: bool, limit: int) -> Any:
    options = struct("weir_request_options", dialect=dialect, operation=operation,
                     is_standin=is_standin, limit=limit)
    texts.put(options, "target", target)
    texts.put(options, "model", model)
    if tokenizer is not None:
        options.tokenizer = tokenizer._parent_handle().pointer
    return options


def count_request(body: Body, *, model: Text = "", target: Text = "", dialect: int = 0,
                  operation: int = 0, tokenizer: Tokenizer | None = None,
                  is_standin: bool = False, limit: int = 0) -> PromptCount:
    """The prompt tokens of a whole request: texts, the frames of messages, tools, schemas, images.

    `body` is the request's JSON, or what it would be made of. What is not said is told by `target`
    (path and query), else by the body. With a `limit`, counting stops above it. A model that is not
    known is no error: the count is an estimate then.
    """
    texts = Texts()
    options = _request_options(texts, target, model, dialect, operation, tokenizer, is_standin,
                               limit)
    data = _body_bytes(body)
    count = struct("weir_prompt_count")
    call(lib.weir_count_request, options, data, len(data), count)
    return PromptCount(count.prompt_tokens, Provenance(count.provenance), Dialect(count.dialect),
                       Operation(count.operation), bool(count.is_guess), bool(count.model_known))


def count_request_parts(body: Body, *, model: Text = "", target: Text = "", dialect: int = 0,
                        operation: int = 0, tokenizer: Tokenizer | None = None,
                        is_standin: bool = False) -> dict[str, Any]:
    """The same with what each part of the request adds; no text of it is in the result."""
    texts = Texts()
    options = _request_options(texts, target, model, dialect, operation, tokenizer, is_standin, 0)
    data = _body_bytes(body)
    parts: dict[str, Any] = read_json(lib.weir_count_request_json, options, data, len(data))
    return parts


_tokenizers: dict[str, Tokenizer] = {}


def count_tokens(model: str, content: Union[Text, Sequence[Mapping[str, Any]]]) -> int:
    """The tokens of a text, or of a chat's messages as a prompt, for this model or encoding.

    A text of a model that is not known is a NotFoundError; messages of one are estimated
    (count_request says how sure a count is).
    """
    if not isinstance(content, (str, bytes)):
        return count_request({"model": model, "messages": content}).prompt_tokens
    tokenizer = _tokenizers.get(model)
    if tokenizer is None:
        tokenizer = Tokenizer(model)
        if len(_tokenizers) < 1000:
            _tokenizers[model] = tokenizer
    return tokenizer.count(content)


class Usage(NamedTuple):
    """What an answer comes to. The stated_ numbers are the provider's, brought to one convention,
    in which a part is always inside its whole; None: not stated."""

    completion_tokens: int
    provenance: Provenance
    counted_tokens: int
    text_bytes: int
    stated_prompt: int | None
    stated_completion: int | None
    stated_cached: int | None
    stated_cache_write: int | None
    stated_reasoning: int | None
    stated_audio_prompt: int | None
    stated_audio_completion: int | None
    stated_accepted_prediction: int | None
    stated_rejected_prediction: int | None
    stated_total: int | None
    is_complete: bool
    is_error: bool
    is_anomaly: bool
    unread: Unread


def _usage(record: Any) -> Usage:
    values: dict[str, Any] = {}
    for name in Usage._fields:
        value = getattr(record, name)
        values[name] = None if name.startswith("stated_") and value < 0 else value
    for name in ("is_complete", "is_error", "is_anomaly"):
        values[name] = bool(values[name])
    values["provenance"] = Provenance(values["provenance"])
    values["unread"] = Unread(values["unread"])
    return Usage(**values)


class StreamMeter(Owner):
    """What an answer comes to, told as it passes: feed its body as it comes, in any pieces.

    What the provider states counts; where it states nothing, the text that passed is counted with
    `tokenizer` (without one: a token for each three bytes). One thread at a time.
    """

    __slots__ = ("_strips",)

    def __init__(self, *, dialect: int = 0, operation: int = 0, content_type: Text = "",
                 content_encoding: Text = "", tokenizer: Tokenizer | None = None,
                 is_standin: bool = False, model: Text = "", declares_functions: bool = False,
                 strip_usage: bool = False, max_decoded_ratio: int = 0, max_event_bytes: int = 0,
                 max_body_bytes: int = 0, max_decoded_bytes: int = 0) -> None:
        texts = Texts()
        options = struct(
            "weir_stream_meter_options", dialect=dialect, operation=operation,
            strip_usage=strip_usage, is_standin=is_standin, max_decoded_ratio=max_decoded_ratio,
            max_event_bytes=max_event_bytes, max_body_bytes=max_body_bytes,
            max_decoded_bytes=max_decoded_bytes, declares_functions=declares_functions)
        texts.put(options, "content_type", content_type)
        texts.put(options, "content_encoding", content_encoding)
        texts.put(options, "model", model)
        parent = None
        if tokenizer is not None:
            parent = tokenizer._parent_handle()
            options.tokenizer = parent.pointer
        self._strips = strip_usage
        self._own(Handle(create(lib.weir_stream_meter_new, "weir_stream_meter*", options),
                         lib.weir_stream_meter_free, parent))

    def feed(self, piece: bytes) -> bytes:
        """A piece of the body; what to pass on for it (with strip_usage it may differ)."""
        call(lib.weir_stream_meter_feed, self._pointer, piece, len(piece))
        return self._relay() if self._strips else piece

    def end(self) -> bytes:
        """The body is complete, as its framing says; what is left to pass on."""
        call(lib.weir_stream_meter_end, self._pointer)
        return self._relay()

    def client_left(self) -> None:
        """The client, or the provider, is gone in the middle: what passed is what is counted."""
        call(lib.weir_stream_meter_client_left, self._pointer)

    def usage(self) -> Usage:
        """What it comes to so far; at any time."""
        usage = struct("weir_usage")
        call(lib.weir_stream_meter_usage, self._pointer, usage)
        return _usage(usage)

    def _relay(self) -> bytes:
        return read_view(lib.weir_stream_meter_relay, self._pointer)
