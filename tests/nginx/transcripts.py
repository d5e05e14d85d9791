"""transcripts.py MODULE FILE...: plays transcripts (tests/transcripts/README.md) through a real
nginx, with backends that answer as the transcript says.

What nginx decides is read off the outside: `forward` is a request at a backend, `call` one that
bears nothing of the client's, `reply` an answer that no backend saw, `wait` that none of these
comes for a while; an open answer is `continue`, a finished one `done` or `finish`. Time is the real
one. What HTTP cannot show is left out by the rules in reason_to_leave_out, which prints why;
nothing here knows a single transcript. Exit 77: nothing of what was asked for can be played."""

import json
import queue
import re
import sys
import time

from match import Mismatch, at, match_message, match_pieces, only
from support import JSON_HEADERS, PATIENCE_S, SKIP, Ask, Backend, Nginx, eventually, find, long_form

PIECES = (0, 7)  # answers whole, and in pieces of seven bytes
MAX_MS = 10_000 if long_form() else 2600  # of real time
QUIET_S = 0.15  # nothing came for so long: nothing comes
CLIENT_S = 5.0  # how long bytes may be on their way
PLAYS = 2  # a limit's window may end, by the real clock, within a play
CALL_LOCATION = """location = /weir-call {
  internal; weir off; proxy_pass $weir_call_url; proxy_buffering off;
}"""
# What may still come of an exchange by itself: bytes on their way, the end of a call.
ENDS = ("done", "finish", "reply")
TO_COME = {"call": ("forward", "continue", *ENDS), "forward": ("continue", *ENDS),
           "continue": ENDS}
EVENT_WORDS = """at_ms after_retry_ms txn request response more failed call again expect free
reload metrics status explain about"""


def reason_to_leave_out(transcript: dict) -> str | None:
    """The rules; each names what HTTP or real time cannot express."""
    events = transcript.get("events", [])
    if any(event.get("at_ms", 0) > MAX_MS for event in events):
        return f"takes more than {MAX_MS} ms of real time"
    if any(event.get("failed") in ("connect", "timeout") for event in events):
        return "a connection that fails, or a deadline, has no request that could be compared"
    if any("reload" in event for event in events):
        return "a reload between two steps of an exchange"
    if any(event.get("after_retry_ms", 0) < 0 for event in events):
        return "asks again a moment too early, to the millisecond"
    if asks_again_without_call(events):
        return "asks again at times that nginx keeps by itself"
    if any("explain" in event and not ends_before(events, i) for i, event in enumerate(events)):
        return "explains an exchange under way; nginx's log comes at its end"
    return None


def subjects(events: list[dict]) -> list[str]:
    names, last = [], "a"
    for event in events:
        last = event.get("txn", last)
        names.append(last)
    return names


def asks_again_without_call(events: list[dict]) -> bool:
    """While a CALL is under way, what comes of it shows that its deadline has been kept."""
    calling = set()
    for name, event in zip(subjects(events), events):
        if event.get("again") and name not in calling:
            return True
        action = event.get("expect", {}).get("action")
        if action == "call":
            calling.add(name)
        elif action != "wait":
            calling.discard(name)
    return False


def ends_before(events: list[dict], index: int) -> bool:
    """No later event feeds the exchange that events[index] speaks of, before a new one begins."""
    names = subjects(events)
    for name, event in list(zip(names, events))[index + 1:]:
        if name == names[index] and "request" in event:
            return True
        if name == names[index] and ({"response", "more", "failed"} & set(event)):
            return False
    return True


class LeftOut(Exception):
    """Says which rule."""


class Exchange:
    """One client request and what it led to."""

    def __init__(self, number: int, ask: Ask):
        self.id = str(number)
        self.ask = ask
        self.arrival = None
        self.calls = False  # the arrival is a CALL's
        self.attempts = 0


def pairs(headers: dict) -> list[tuple[str, str]]:
    return [(name, each) for name, value in headers.items()
            for each in (value if isinstance(value, list) else [value])]


def body_of(message: dict) -> bytes:
    if "body" in message:
        return json.dumps(message["body"], separators=(",", ":"), ensure_ascii=False).encode()
    return message.get("body_text", "").encode()


class Player:
    """Plays one transcript once."""

    def __init__(self, module: str, transcript: dict, piece: int):
        self.transcript = transcript
        self.piece = piece
        self.exchanges: dict[str, Exchange] = {}
        self.spoken_of: Exchange | None = None
        self.arrivals: queue.Queue = queue.Queue()
        self.backends: dict[str, Backend] = {}
        self.began = 0.0
        self.secrets = transcript.get("secrets", {})
        self.credentials: list[str] = []
        self.nginx = Nginx(module, {}, self.secrets, workers=1, location=self.location(),
                           server=CALL_LOCATION,
                           http="set_real_ip_from 127.0.0.1; real_ip_header x-client;")
        policy = self.with_local_urls(transcript["policy"])
        self.nginx.write_policy(self.with_local_files(policy))

    def location(self) -> str:
        names = {name for event in self.transcript["events"]
                 for name in event.get("request", {}).get("attributes", {})}
        attributes = [f'weir_attribute {name} "$http_x_attribute_{name}";' for name in names]
        return " ".join(["weir_call /weir-call;", *attributes])

    def with_local_urls(self, policy: dict) -> dict:
        """Each origin of a backend becomes a backend of this player."""
        policy = json.loads(json.dumps(policy))
        for backend in policy.get("backends", {}).values():
            origin = re.match(r"https?://[^/]+", backend.get("url", ""))
            if origin is not None:
                if origin[0] not in self.backends:
                    self.backends[origin[0]] = Backend(self.arrivals.put)
                backend["url"] = backend["url"].replace(origin[0], self.backends[origin[0]].url)
        return policy

    def with_local_files(self, value):
        """The files that secrets are in become files of this player."""
        if isinstance(value, list):
            return [self.with_local_files(each) for each in value]
        if not isinstance(value, dict):
            return value
        name = value.get("file")
        if set(value) == {"file"} and name in self.secrets:
            path = self.nginx.path(name.strip("/").replace("/", "-"))
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.secrets[name] + "\n")
            return {"file": path}
        return {key: self.with_local_files(each) for key, each in value.items()}

    def play(self) -> None:
        only("transcript", self.transcript, "about policy secrets events")
        last = "a"
        with self.nginx:
            self.began = time.monotonic()
            for number, event in enumerate(self.transcript["events"], 1):
                before, last = last, event.get("txn", last)
                try:
                    self.sleep(event, before)
                    self.play_event(number, event, last)
                except Mismatch as mismatch:
                    raise Mismatch(f'event {number} ("{last}", pieces of {self.piece}): '
                                   f"{mismatch}") from None
        for backend in self.backends.values():
            backend.close()

    def play_event(self, number: int, event: dict, name: str) -> None:
        only("event", event, EVENT_WORDS)
        if "request" in event:
            self.exchanges[name] = self.request(number, event["request"])
        exchange = self.exchanges.get(name)
        if exchange is None:
            if not {"metrics", "status"} & set(event):
                raise Mismatch(f'no transaction "{name}"')
            self.expect_written(None, event)
            return
        self.spoken_of = exchange
        if "call" in event:
            self.answer_call(exchange, event["call"])
        if "response" in event:
            self.respond(exchange, event["response"])
        if "more" in event:
            self.continue_answer(exchange, event["more"])
        if "failed" in event:
            self.arrival_of(exchange).break_off()
            exchange.arrival = None
        if "expect" in event and not (event.get("again") and event["expect"]["action"] == "wait"):
            self.expect(exchange, event["expect"])  # that moment is nginx's own, and near another
        if event.get("free"):
            self.leave(exchange)
        self.expect_written(exchange, event)

    def sleep(self, event: dict, name: str) -> None:
        until = time.monotonic()
        if "at_ms" in event:
            until = self.began + event["at_ms"] / 1000
        if "after_retry_ms" in event:
            ask = self.exchanges[name].ask.wait()
            retry_ms = float(ask.header("retry-after-ms") or 0)
            if retry_ms > MAX_MS:
                raise LeftOut(f"waits {retry_ms:.0f} ms of real time")
            until = ask.times[-1] + (retry_ms + event["after_retry_ms"]) / 1000
        time.sleep(max(0.0, until - time.monotonic()))

    # ---- What the client and the backends do ----

    def request(self, number: int, request: dict) -> Exchange:
        headers = pairs(request.get("headers", {}))
        for name, value in headers:
            if name.lower() in ("authorization", "api-key", "x-api-key"):
                self.credentials.append(value.removeprefix("Bearer "))
        headers += [(f"x-attribute-{name}", value)
                    for name, value in request.get("attributes", {}).items()]
        headers += [("x-client", request.get("client", "192.0.2.1")), ("x-ask", str(number))]
        return Exchange(number, Ask(self.nginx.port, body_of(request),
                                    request.get("method", "POST"),
                                    request.get("target", "/v1/chat/completions"), headers))

    def arrive(self, patience_s: float) -> bool:
        """Gives one arrived request to its exchange."""
        try:
            arrival = self.arrivals.get(timeout=patience_s)
        except queue.Empty:
            return False
        ask_id = find(arrival.headers, "x-ask")
        for exchange in self.exchanges.values():
            if ask_id == exchange.id or (ask_id is None and exchange is self.spoken_of):
                exchange.arrival = arrival
                exchange.calls = ask_id is None
                exchange.attempts += not exchange.calls
        return True

    def arrival_of(self, exchange: Exchange):
        def look():
            self.arrive(0.01)
            return exchange.arrival
        if eventually(look) is None:
            raise Mismatch("no backend has been asked")
        return exchange.arrival

    def answer_call(self, exchange: Exchange, answer: dict) -> None:
        only("call", answer, "status body body_text")
        arrival = self.arrival_of(exchange)
        if not exchange.calls:
            raise Mismatch("no CALL is under way")
        if answer.get("status", 200) == 0:
            arrival.break_off()
        else:
            body = body_of(answer)
            arrival.head(answer.get("status", 200), JSON_HEADERS, len(body))
            self.send(arrival, body)
            arrival.end()
        exchange.arrival = None

    def respond(self, exchange: Exchange, response: dict) -> None:
        arrival = self.arrival_of(exchange)
        body = body_of(response)
        streams = "chunks" in response or response.get("end") is False
        arrival.head(response.get("status", 200), pairs(response.get("headers", {})),
                     None if streams else len(body))
        self.send(arrival, body)
        self.continue_answer(exchange, response)

    def continue_answer(self, exchange: Exchange, message: dict) -> None:
        arrival = exchange.arrival
        for chunk in message.get("chunks", []):
            self.send(arrival, chunk.encode())
        if message.get("end") is not False:
            exchange.arrival = None
            try:
                arrival.end()
            except OSError:
                pass  # weir had enough of it

    def send(self, arrival, data: bytes) -> None:
        piece = self.piece or len(data)
        try:
            for at_byte in range(0, len(data), piece or 1):
                arrival.data(data[at_byte:at_byte + piece])
        except OSError:
            pass  # weir had enough of it

    def leave(self, exchange: Exchange) -> None:
        """Ends an exchange; an open one by hanging up, which nginx is given time to see."""
        if not exchange.ask.over.is_set():
            exchange.ask.hang_up()
        self.nginx.log_of(exchange.id)

    # ---- What came of it ----

    def action(self, exchange: Exchange, expected: str) -> str:
        """What has become of the exchange; `expected` only says how long to look."""
        ask = exchange.ask

        def look() -> str | None:
            self.arrive(0.002)
            if ask.over.is_set():
                if exchange.attempts == 0 or ask.header("x-weir-backend") is None:
                    return "reply"
                return "done" if ask.complete else "broken"
            if exchange.arrival is None or exchange.arrival.over.is_set():
                return None
            return None if expected in TO_COME[stage()] else stage()

        def stage() -> str:
            if exchange.calls:
                return "call"
            return "forward" if ask.status is None else "continue"
        found = eventually(look, QUIET_S if expected == "wait" else PATIENCE_S)
        return found or ("wait" if exchange.arrival is None else stage())

    def expect(self, exchange: Exchange, expected: dict) -> None:
        only("expect", expected, "action attempt deadline_ms backend client")
        only("backend", expected.get("backend"),
             "url target headers body body_text contains lacks")
        only("client", expected.get("client"), "status headers body body_text contains lacks")
        wanted = expected.get("action")
        if wanted is not None:
            found = self.action(exchange, wanted)
            # A finished answer may be the backend's, weir's end of it, or weir's own.
            if found != wanted and not (found in ENDS and wanted in ENDS):
                raise Mismatch(f"{found} is not {wanted}; status {exchange.ask.status}, answer so "
                               f"far: {exchange.ask.body[:600]!r}")
        if "attempt" in expected and wanted == "forward":
            at("attempt", exchange.attempts, expected["attempt"])
        if "backend" in expected:
            self.expect_backend(exchange, expected["backend"])
        if "client" in expected:
            self.expect_client(exchange, expected["client"])

    def expect_backend(self, exchange: Exchange, expected: dict) -> None:
        arrival = self.arrival_of(exchange)
        origins = {backend.port: origin for origin, backend in self.backends.items()}
        if "url" in expected:
            at("url", origins[arrival.backend.port], expected["url"])
        if "target" in expected:
            at("target", arrival.target, expected["target"])
        match_message("backend", dict(reversed(arrival.headers)), arrival.body.decode(), expected)

    def expect_client(self, exchange: Exchange, expected: dict) -> None:
        """What the client has got so far; it may still be on its way."""
        ask = exchange.ask

        def fault() -> Mismatch | None:
            try:
                if "status" in expected:
                    at("status", ask.status, expected["status"])
                match_message("client", dict(reversed(ask.headers)), ask.body.decode(), expected)
                return None
            except Mismatch as mismatch:
                return mismatch
        eventually(lambda: True if fault() is None or ask.over.is_set() else None, CLIENT_S)
        remaining = fault()
        if remaining is not None:
            raise remaining

    def expect_written(self, exchange: Exchange | None, event: dict) -> None:
        if "metrics" in event:
            only("metrics", event["metrics"], "contains lacks")
            text = self.nginx.get("/metrics").body.decode()
            match_pieces("metrics", text, event["metrics"])
            self.no_secrets("metrics", text)
        if "status" in event:
            at("status", json.loads(self.nginx.get("/status").body), event["status"])
        if "explain" in event:
            self.leave(exchange)
            line = self.nginx.log_of(exchange.id)
            at("explain", line["explain"], event["explain"])
            self.no_secrets("explain", json.dumps(line))

    def no_secrets(self, what: str, text: str) -> None:
        for name, value in self.transcript.get("secrets", {}).items():
            if value in text:
                raise Mismatch(f"{what} holds the secret {name}")
        if any(credential and credential in text for credential in self.credentials):
            raise Mismatch(f"{what} holds a client's credential")


def play(module: str, path: str) -> str | None:
    """What is wrong, if anything; a reason that begins with "left out" is no fault."""
    with open(path, encoding="utf-8") as file:
        transcript = json.load(file)
    reason = reason_to_leave_out(transcript)
    if reason is not None:
        return "left out: " + reason
    for piece in PIECES:
        for remaining in reversed(range(PLAYS)):
            try:
                Player(module, transcript, piece).play()
                break
            except LeftOut as rule:
                return f"left out: {rule}"
            except Mismatch as mismatch:
                if remaining == 0:
                    return str(mismatch)
    return None


def main(module: str, paths: list[str]) -> int:
    faults = played = 0
    for path in paths:
        fault = play(module, path)
        name = path.rsplit("/", 1)[-1]
        if fault is None:
            played += 1
            print(f"{name}: as expected")
        elif fault.startswith("left out"):
            print(f"{name}: {fault}")
        else:
            faults += 1
            print(f"{name}: {fault}")
    if faults:
        return 1
    return 0 if played else SKIP


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
