#!/usr/bin/env python3
"""What the Python binding costs: one call, and a whole transaction on a 1 KiB prompt, beside an
empty call of C through the same boundary, in one run.

    PYTHONPATH=build/release/python bench/python/transaction_bench.py [--json] [--repetitions N]

Each action is read as a host does: where to, with which headers and body. Times are CPU time of
this process, medians of the repetitions.
"""

import argparse
import hashlib
import hmac
import json
import random
import statistics
import time

import weir
from weir._weir import ffi, lib

REPETITION_S = 0.15
WORDS = ("the gate lets through what stream below can carry and keeps rest waiting until there is "
         "room for it again while water rises slowly behind every wooden board").split()
PEPPER = "weir virtual key"
HEADERS = [(b"authorization", b"Bearer vk-bench"), (b"content-type", b"application/json"),
           (b"user-agent", b"OpenAI/Python 1.0")]
ANSWER_HEADERS = [(b"content-type", b"application/json"), (b"x-request-id", b"req-1")]
NEVER_FULL = 9_000_000_000_000_000


def prompt():
    """1 KiB of prose that does not repeat."""
    words = random.Random(1)
    text = ""
    while len(text) < 1024:
        text += words.choice(WORDS) + " "
    return text[:1024]


def request_body():
    return json.dumps({"model": "gpt-4o", "max_tokens": 100, "messages": [
        {"role": "user", "content": prompt()}]}).encode()


def answer_body():
    return json.dumps({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {
            "role": "assistant", "content": "It carries what it can, and no more. " * 2}}],
        "usage": {"prompt_tokens": 200, "completion_tokens": 18, "total_tokens": 218}}).encode()


def make_engine():
    """Three limits and a pool of two backends."""
    key = "sha256:" + hmac.new(PEPPER.encode(), b"vk-bench", hashlib.sha256).hexdigest()
    limit = {"key": "consumer.id", "amount": NEVER_FULL, "per": "60s"}
    document = {
        "weir": 1,
        "pepper": PEPPER,
        "consumers": {"bench": {"keys": [key], "attributes": {"team": "warm"}}},
        "backends": {name: {"url": f"http://{name}.test", "dialect": "openai"} for name in "ab"},
        "pools": {"p": {"members": [{"backend": "a"}, {"backend": "b"}]}},
        "limits": {"tokens": {**limit, "unit": "tokens"},
                   "requests": {**limit, "unit": "requests"},
                   "team": {**limit, "unit": "tokens", "key": "consumer.team"}},
        "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "p",
                    "limits": ["tokens", "requests", "team"], "auth": "key"}],
    }
    return weir.Engine(weir.Policy(document))


def measure(function, repetitions):
    """The median CPU time of a call, in nanoseconds."""
    count = 1
    while timed(function, count) < REPETITION_S / 4:
        count *= 2
    count *= 4
    return statistics.median(timed(function, count) / count for _ in range(repetitions)) * 1e9


def timed(function, count):
    turns = range(count)
    begun = time.process_time()
    for _ in turns:
        function()
    return time.process_time() - begun


def bare_transaction(engine, request, answer):
    """The same transaction in bare calls of the module: what of it is not Python's."""
    null = ffi.NULL
    sent, received = (b"\n".join(part for header in headers for part in header)
                      for headers in (HEADERS, ANSWER_HEADERS))

    def transaction():
        x = lib.weir_python_open(engine._pointer, null)
        lib.weir_python_request(x, b"POST", 4, b"/v1/chat/completions", 20, b"10.0.0.7", 8, sent,
                                len(sent), len(HEADERS), request, len(request), null)
        what = lib.weir_python_response(x, 200, received, len(received), len(ANSWER_HEADERS),
                                        answer, len(answer), null)
        lib.weir_python_close(x)
        return what

    if transaction() & lib.WEIR_PYTHON_KIND != weir.ActionKind.DONE:
        raise SystemExit("the bare transaction is not done")
    return transaction


def subjects():
    """What is measured, by name."""
    engine, request, answer = make_engine(), request_body(), answer_body()
    tokenizer, text = weir.Tokenizer("gpt-4o"), prompt()
    idle = engine.transaction()
    inner, view, size = idle._x.txn, ffi.new("const char**"), ffi.new("size_t*")

    def admit(txn):
        forward = txn.request("POST", "/v1/chat/completions", HEADERS, request, client="10.0.0.7")
        return forward.url, forward.target, forward.edit(HEADERS), forward.body

    def admission():
        with engine.transaction() as txn:
            admit(txn)

    def transaction():
        with engine.transaction() as txn:
            admit(txn)
            done = txn.response(200, ANSWER_HEADERS, answer)
            return done.status, done.edit(ANSWER_HEADERS), done.body

    def in_pieces():
        with engine.transaction() as txn:
            admit(txn)
            head = txn.response_head(200, ANSWER_HEADERS)
            body = txn.response_body(answer).body
            body += txn.response_end().body
            return head.status, head.edit(ANSWER_HEADERS), body

    return {
        "python_call": lambda: None,
        "empty_c_call": lib.weir_python_nothing,
        "version_number": lib.weir_version_number,
        "view": lambda _owner=idle: lib.weir_txn_body(inner, view, size),
        "count_1KiB": lambda: tokenizer.count(text),
        "admission": admission,
        "bare_transaction": bare_transaction(engine, request, answer),
        "transaction": transaction,
        "in_pieces": in_pieces,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repetitions", type=int, default=9)
    options = parser.parse_args()
    result = {name: round(measure(function, options.repetitions), 1)
              for name, function in subjects().items()}
    if options.json:
        print(json.dumps({"unit": "ns", "cpu": result}))
        return
    for name, ns in result.items():
        print(f"{name:18}{ns:12,.0f} ns")


if __name__ == "__main__":
    main()
