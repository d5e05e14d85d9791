"""transcripts.py FILE_OR_FOLDER…: plays transcripts over the Python binding.

The corpus, and what its words mean: tests/transcripts/README.md. Each is played with bodies fed
whole, byte by byte and in pieces of seven bytes; with WEIR_LONG set, of every size up to a hundred.
"""

import json
import os
import pathlib
import sys

import match
from host import Fault, Host

import weir

EVENT = {"at_ms", "after_retry_ms", "txn", "request", "response", "more", "failed", "call",
         "again", "expect", "free", "reload", "metrics", "status", "explain", "about"}
TRANSCRIPT = {"about", "policy", "secrets", "events"}
EXPECT = {"action", "attempt", "deadline_ms", "backend", "client"}
BACKEND = {"url", "target", "headers", "body", "body_text", "contains", "lacks"}
CLIENT = {"status", "headers", "body", "body_text", "contains", "lacks"}
PIECES = {"contains", "lacks"}


def expect_words(what, value, words):
    """A misspelt word must not pass unread."""
    for name in value:
        if name not in words:
            raise Fault(f"{what}: no word \"{name}\"")


def expect_value(what, actual, expected):
    why = match.fault(actual, expected)
    if why is not None:
        raise Fault(what + why)


def expect_member(what, actual, expected, name):
    if name in expected:
        expect_value(what, actual, expected[name])


def expect_json(what, text, expected):
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Fault(f"{what}: not JSON ({error}): {text[:300]!r}") from None
    expect_value(what, value, expected)


def expect_pieces(what, text, expected):
    for piece in expected.get("contains", []):
        if piece not in text:
            raise Fault(f"{what} does not contain \"{piece}\": {text[:600]}")
    for piece in expected.get("lacks", []):
        if piece in text:
            raise Fault(f"{what} contains \"{piece}\": {text[:600]}")


def find_header(headers, name):
    lower = name.lower().encode()
    for known, value in headers:
        if known.lower() == lower:
            return value.decode("utf-8", "replace")
    return match.ABSENT


def expect_message(what, headers, body, expected):
    """What went to one side: headers and body."""
    for name, value in expected.get("headers", {}).items():
        expect_value(f"{what} header {name}", find_header(headers, name), value)
    text = body.decode("utf-8", "replace")
    if "body" in expected:
        expect_json(f"{what} body", body, expected["body"])
    expect_pieces(f"{what} body", text, expected)
    expect_member(f"{what} body", text, expected, "body_text")


def expect(host, x, expected):
    expect_words("expect", expected, EXPECT)
    action = x.action
    if "action" in expected and expected["action"] != action.kind.name.lower():
        raise Fault(f"{action.kind.name.lower()} is not {expected['action']}; status {x.status}, "
                    f"answer so far: {x.answer[:600]!r}")
    expect_member("attempt", action.attempt, expected, "attempt")
    left_ns = action.deadline_mono_ns - host.now().mono_ns
    left_ms = left_ns / 1e6 if action.deadline_mono_ns else match.ABSENT
    expect_member("deadline_ms", left_ms, expected, "deadline_ms")
    if "backend" in expected:
        backend = expected["backend"]
        expect_words("backend", backend, BACKEND)
        expect_member("url", x.url, backend, "url")
        expect_member("target", x.target, backend, "target")
        expect_message("backend", x.backend_headers, x.backend_body, backend)
    if "client" in expected:
        client = expected["client"]
        expect_words("client", client, CLIENT)
        expect_member("status", x.status, client, "status")
        expect_message("client", x.answer_headers, x.answer, client)


def expect_no_secrets(host, what, text):
    """No text that weir writes for people holds a secret or a client's credential."""
    for name, value in host.secrets.items():
        if value in text:
            raise Fault(f"{what} holds the secret {name}")
    for x in host.exchanges:
        for name in ("authorization", "api-key"):
            credential = find_header(x.client_headers, name)
            if credential is not match.ABSENT:
                credential = credential.removeprefix("Bearer ")
                if credential and credential in text:
                    raise Fault(f"{what} holds a client's credential")


def expect_written(host, x, event):
    if "metrics" in event:
        expect_words("metrics", event["metrics"], PIECES)
        text = host.engine.metrics()
        expect_pieces("metrics", text, event["metrics"])
        expect_no_secrets(host, "metrics", text)
    if "status" in event:
        expect_value("status", host.engine.status(now=host.now()), event["status"])
    if "explain" in event:
        text = x.txn.explain_json().decode()
        expect_json("explain", text, event["explain"])
        expect_no_secrets(host, "explain", text)


class Play:
    """One transcript, played once."""

    def __init__(self, transcript, cut):
        self.transcript = transcript
        self.host = Host(transcript.get("secrets", {}), cut)
        self.last = "a"  # the transaction last spoken of
        self.at = 0

    def run(self):
        expect_words("transcript", self.transcript, TRANSCRIPT)
        self.host.put_in_force(self.transcript["policy"])
        events = self.transcript.get("events", [])
        if not events:
            raise Fault("no events")
        for event in events:
            self.at += 1
            self.event(event)

    def time_of(self, event):
        """at_ms, or so long after the time that the last refusal named."""
        if "after_retry_ms" not in event:
            return event.get("at_ms", self.host.at_ms)
        x = self.host.find(self.last)
        retry = match.ABSENT if x is None else find_header(x.answer_headers, "retry-after-ms")
        if retry is match.ABSENT:
            raise Fault("the last answer has no retry-after-ms")
        return x.replied_at_ms + int(retry) + event["after_retry_ms"]

    def event(self, event):
        host = self.host
        at_ms = self.time_of(event)
        if at_ms < host.at_ms:
            raise Fault("time goes backward")
        host.at_ms = at_ms
        expect_words("event", event, EVENT)
        if "reload" in event:
            host.put_in_force(event["reload"])
        self.last = event.get("txn", self.last)
        x = host.begin(self.last) if "request" in event else host.find(self.last)
        if x is None and not event.keys() & {"metrics", "status", "reload"}:
            raise Fault(f"no transaction \"{self.last}\"")
        for verb in ("request", "response", "more", "failed", "call"):
            if verb in event:
                getattr(host, verb)(x, event[verb])
        if event.get("again"):
            host.again(x)
        if "expect" in event:
            expect(host, x, event["expect"])
        expect_written(host, x, event)
        if event.get("free"):
            x.txn.close()


def unique(pairs):
    """An object whose keys are all different."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key is repeated")
    return dict(pairs)


def play_file(path):
    """The number of plays that failed."""
    cuts = range(101) if os.environ.get("WEIR_LONG") else (0, 1, 7)
    transcript = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)
    bad = 0
    for cut in cuts:
        play = Play(transcript, cut)
        try:
            play.run()
        except (Fault, weir.WeirError) as error:
            bad += 1
            print(f"{path}: event {play.at} (at {play.host.at_ms} ms, \"{play.last}\", cut {cut}): "
                  f"{error}", file=sys.stderr)
        finally:
            play.host.close()
    return bad


def main(arguments):
    paths = [path for argument in map(pathlib.Path, arguments)
             for path in (sorted(argument.glob("*.json")) if argument.is_dir() else [argument])]
    bad = sum(play_file(path) for path in paths)
    print(f"{len(paths)} transcripts, {bad} plays failed")
    return 1 if bad or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
