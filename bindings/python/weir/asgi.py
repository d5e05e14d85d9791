"""ASGI: an application behind a weir engine.

    app = weir.asgi.WeirMiddleware(app, weir.Engine(weir.Policy.from_file("policy.json")))

The application is what answers for a policy's backends. It sees a request once it may pass, with
the path, headers and body that the backend is to get, and scope["weir"], a Backend, that says which
one was chosen. It may be a reverse proxy (examples/python/proxy.py of weir's sources) or serve the
model itself. When its answer is a reason to try another backend it is called again; nothing of an
answer that is not wanted reaches the client. It tells of a backend that cannot be reached by
raising BackendFailed.

Answers are relayed as they come; those that are no event stream are held until they are complete
or larger than 1 MiB, and so have a Content-Length and the headers that are known only at the end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from array import array
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple, ParamSpec, TypeVar
from urllib.parse import quote, unquote

from weir.bookkeeping import Ledger
from weir.caching import Vector
from weir.engine import Engine
from weir.errors import WeirError
from weir.transaction import Action, ActionKind, Failure, HeaderList, Transaction

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Call = Callable[[Action], Awaitable[tuple[int, bytes]]]
Embed = Callable[[str, bytes], Awaitable[Vector | None]]

_log = logging.getLogger("weir")

MAX_HELD_BYTES = 1 << 20

# Of one connection, not of the message: neither backend nor client gets the other's.
_HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate",
               b"proxy-authorization", b"te", b"trailer", b"transfer-encoding", b"upgrade",
               b"expect"}


class Backend(NamedTuple):
    """What a request was sent to, as scope["weir"]: scheme, host and port; path and query; which
    attempt it is; and when it will be given up, on the monotonic clock (0: never)."""

    url: str
    target: str
    attempt: int
    deadline_mono_ns: int


class BackendFailed(Exception):
    """Raised by the application: the backend gave no answer, or only a part of one."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.name.lower())
        self.failure = failure


class AnswerNotWanted(OSError):
    """Raised from send() in the application: the client gets another answer, or has all of it."""


def end_to_end(headers: HeaderList) -> HeaderList:
    """The headers of a message without those of its connection."""
    named = {name.strip().lower() for key, value in headers if key.lower() == b"connection"
             for name in value.split(b",")}
    return [(name, value) for name, value in headers
            if name.lower() not in _HOP_BY_HOP and name.lower() not in named]


def without(headers: HeaderList, name: bytes) -> HeaderList:
    return [header for header in headers if header[0].lower() != name]


class WeirMiddleware:
    """Governs `app` by `engine`.

    call: performs an action CALL and returns status and body (0: it failed); None: calls fail.
    embed: gives the vector of a text, for a cache whose policy says that the host embeds: the
    embedder's name, the text's UTF-8; None: it has none, and the request goes on without.
    on_end: is given what was decided and why, at the end of each request: for an access log.
    ledger: gets a line of each request at its end; while it accepts none, requests are answered
    with 503. It is the caller's to close, after the last request.

    What weir itself takes is measured: the metrics have it as weir.overhead.
    """

    def __init__(self, app: Application, engine: Engine, *, call: Call | None = None,
                 embed: Embed | None = None,
                 on_end: Callable[[dict[str, Any]], None] | None = None,
                 ledger: Ledger | None = None) -> None:
        self.app = app
        self.engine = engine
        self.call = call
        self.embed = embed
        self.on_end = on_end
        self.ledger = ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.ledger is not None and not self.ledger.accepts():
            await _refuse(scope["method"], send)
            return
        exchange = _Exchange(self, scope, receive, send)
        try:
            await exchange.serve()
        finally:
            exchange.close()


_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class _Stopwatch:
    """What weir's calls of one exchange take, for weir.overhead. It is told before an answer begins
    and at the end, so that the stages can be told apart."""

    def __init__(self, txn: Transaction) -> None:
        self.txn = txn
        self.took_ns = 0

    def __call__(self, method: Callable[_Parameters, _Result], *args: _Parameters.args,
                 **more: _Parameters.kwargs) -> _Result:
        begun = time.perf_counter_ns()
        try:
            return method(*args, **more)
        finally:
            self.took_ns += time.perf_counter_ns() - begun

    def tell(self) -> None:
        took_ns, self.took_ns = self.took_ns, 0
        self.txn.add_overhead(took_ns)


class _Exchange:
    """One request: the host's part of a transaction."""

    def __init__(self, host: WeirMiddleware, scope: Scope, receive: Receive, send: Send) -> None:
        self.host = host
        self.scope = scope
        self.receive = receive
        self.client = _Client(scope["method"], send)
        self.headers: HeaderList = [(bytes(name), bytes(value)) for name, value in scope["headers"]]
        self.txn = host.engine.transaction()
        self.timed = _Stopwatch(self.txn)

    def close(self) -> None:
        try:
            self.txn.client_left()  # settles what a broken ending left open
            self.timed.tell()
            self.keep_line()
            if self.host.on_end is not None:
                self.host.on_end(self.txn.explain())
        finally:
            self.txn.close()

    def keep_line(self) -> None:
        if self.host.ledger is None:
            return
        try:
            self.host.ledger.append(self.txn)
        except WeirError as error:  # the answer is out; the ledger's status counts it
            _log.warning("a line was not kept: %s", error)

    async def serve(self) -> None:
        path = self.scope.get("raw_path") or quote(self.scope["path"]).encode()
        query = self.scope.get("query_string", b"")
        address = self.scope.get("client")
        action = self.timed(
            self.txn.request_head, self.scope["method"], path + (b"?" + query if query else b""),
            self.headers, client=address[0] if address else b"")
        if action.kind is ActionKind.CONTINUE:
            if not await self.read_body():
                return
            action = self.timed(self.txn.request_end)
        await self.unless_client_leaves(self.answer(action))

    async def read_body(self) -> bool:
        """False: the client left."""
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                return False
            self.timed(self.txn.request_body, message.get("body", b""))
            more = message.get("more_body", False)
        return True

    async def unless_client_leaves(self, answer: Any) -> None:
        tasks = [asyncio.create_task(answer), asyncio.create_task(self.client_leaves())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def client_leaves(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def answer(self, action: Action) -> None:
        """Performs actions until the client has its answer."""
        while True:
            if action.kind is ActionKind.FORWARD:
                action = await self.forward(action)
            elif action.kind is ActionKind.WAIT:
                await _sleep_until(action.deadline_mono_ns)
                action = self.timed(self.txn.next)
            elif action.kind is ActionKind.CALL:
                action = await self.perform_call(action)
            elif action.kind is ActionKind.REPLY:
                self.client.begin(action.status, action.edit([]))
                await self.client.end(action)
                return
            else:  # the answer was relayed as it came, or broke off
                return

    async def perform_call(self, action: Action) -> Action:
        if not action.url:
            return await self.perform_embed(action)
        status, body = 0, b""
        if self.host.call is not None:
            try:
                async with asyncio.timeout(_seconds_until(action.deadline_mono_ns)):
                    status, body = await self.host.call(action)
            except Exception as error:
                _log.warning("a call to %s failed: %r", action.url, error)
        return self.timed(self.txn.call_result, action.call_id, status, body)

    async def perform_embed(self, action: Action) -> Action:
        vector: Vector | None = None  # to float32 here: what is none fails like the hook itself
        if self.host.embed is not None:
            try:
                async with asyncio.timeout(_seconds_until(action.deadline_mono_ns)):
                    vector = await self.host.embed(action.target, action.body)
                vector = None if vector is None else array("f", vector)
            except Exception as error:
                _log.warning("%s did not embed a text: %r", action.target, error)
        if vector is None:
            return self.timed(self.txn.call_result, action.call_id, 0)
        return self.timed(self.txn.call_vector, action.call_id, vector)

    async def forward(self, action: Action) -> Action:
        """One attempt; what to do after it."""
        attempt = _Attempt(self, action.body)
        failure: Failure | None = None
        try:
            async with asyncio.timeout(_seconds_until(action.deadline_mono_ns)):
                await self.host.app(self.backend_scope(action), attempt.receive, attempt.send)
        except AnswerNotWanted:
            pass
        except WeirError:
            raise
        except BackendFailed as error:
            failure = error.failure
        except TimeoutError:
            failure = Failure.TIMEOUT
        except Exception:
            _log.exception("the application failed for %s", action.url)
            failure = Failure.RESET
        if attempt.after is not None:
            return attempt.after
        return await self.broken_off(failure or Failure.RESET)

    async def broken_off(self, failure: Failure) -> Action:
        """The attempt ended before its answer did. What cannot be ended properly must not look
        complete: without the last message of an answer the server breaks the connection."""
        action = self.timed(self.txn.response_failed, failure)
        if action.kind not in (ActionKind.FINISH, ActionKind.DONE):
            return action
        if action.body:
            await self.client.end(action)  # weir has ended the answer in its dialect's own words
        elif not self.client.head_sent:
            self.client.begin(502, [(b"content-type", b"application/json")])
            await self.client.end(action, b'{"error":{"message":"the backend broke off its answer",'
                                          b'"type":"gateway_error","param":null,"code":null}}')
        return action

    def backend_scope(self, action: Action) -> Scope:
        headers = without(action.edit(end_to_end(self.headers)), b"content-length")
        if action.body or any(name.lower() == b"content-length" for name, _ in self.headers):
            headers.append((b"content-length", str(len(action.body)).encode()))
        path, _, query = action.target.partition("?")
        backend = Backend(action.url, action.target, action.attempt, action.deadline_mono_ns)
        return {**self.scope, "path": unquote(path), "raw_path": path.encode(),
                "query_string": query.encode(), "headers": headers, "weir": backend}


class _Attempt:
    """The application's side of one attempt: it receives the request and sends the answer."""

    def __init__(self, exchange: _Exchange, body: bytes) -> None:
        self.txn = exchange.txn
        self.timed = exchange.timed
        self.client = exchange.client
        self.body: bytes | None = body
        self.after: Action | None = None  # what to do when this attempt is over

    async def receive(self) -> Message:
        if self.body is None:
            await asyncio.Event().wait()  # the task is cancelled when the client leaves
        body, self.body = self.body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if self.after is not None:
            raise AnswerNotWanted()
        if message["type"] == "http.response.start":
            headers = end_to_end([(bytes(name), bytes(value))
                                  for name, value in message.get("headers", ())])
            self.timed.tell()
            action = self.timed(self.txn.response_head, message["status"], headers)
            if action.kind is not ActionKind.CONTINUE:
                self.stop(action)
            self.client.begin(action.status, action.edit(headers))
        elif message["type"] == "http.response.body":
            piece = message.get("body", b"")
            if piece:
                await self.relay(self.timed(self.txn.response_body, bytes(piece)))
            if not message.get("more_body", False):
                await self.relay(self.timed(self.txn.response_end))

    async def relay(self, action: Action) -> None:
        if action.kind is ActionKind.CONTINUE:
            await self.client.relay(action)
            return
        if action.kind in (ActionKind.FINISH, ActionKind.DONE):
            await self.client.end(action)
        self.stop(action)

    def stop(self, action: Action) -> None:
        self.after = action
        raise AnswerNotWanted()


class _Client:
    """The answer on its way to the client."""

    def __init__(self, method: str, send: Send) -> None:
        self.method = method
        self.send = send
        self.status = 0
        self.headers: HeaderList = []
        self.held: list[bytes] = []
        self.held_bytes = 0
        self.streams = False
        self.head_sent = False

    def begin(self, status: int, headers: HeaderList) -> None:
        self.status, self.headers = status, headers
        self.held, self.held_bytes = [], 0
        self.streams = any(name.lower() == b"content-type" and
                           value.lower().startswith(b"text/event-stream")
                           for name, value in headers)

    def take(self, action: Action, body: bytes) -> None:
        if not self.head_sent and action.kind is not ActionKind.REPLY:
            self.headers = action.edit(self.headers)
        self.take_body(body)

    def take_body(self, body: bytes) -> None:
        self.held.append(body)
        self.held_bytes += len(body)

    async def relay(self, action: Action) -> None:
        self.take(action, action.body)
        if self.held_bytes > MAX_HELD_BYTES or (self.streams and self.held_bytes):
            await self.send_head(without(self.headers, b"content-length"))
            await self.flush(more=True)

    async def end(self, action: Action, body: bytes = b"") -> None:
        self.take(action, body or action.body)
        await self.finish()

    async def finish(self) -> None:
        headers = self.headers
        if self.method != "HEAD" and self.status not in (204, 304):
            size = str(self.held_bytes).encode()
            headers = [*without(headers, b"content-length"), (b"content-length", size)]
        await self.send_head(headers)
        await self.flush(more=False)

    async def send_head(self, headers: HeaderList) -> None:
        if self.head_sent:
            return
        self.head_sent = True
        await self.send({"type": "http.response.start", "status": self.status,
                         "headers": [(name.lower(), value) for name, value in headers]})

    async def flush(self, more: bool) -> None:
        body, self.held, self.held_bytes = b"".join(self.held), [], 0
        await self.send({"type": "http.response.body", "body": body, "more_body": more})


async def _refuse(method: str, send: Send) -> None:
    client = _Client(method, send)
    client.begin(503, [(b"content-type", b"application/json"), (b"retry-after", b"5")])
    client.take_body(b'{"error":{"message":"the gateway cannot keep its ledger",'
                     b'"type":"gateway_error","param":null,"code":null}}')
    await client.finish()


def _seconds_until(deadline_mono_ns: int) -> float | None:
    if deadline_mono_ns == 0:
        return None
    return max(0.0, (deadline_mono_ns - time.monotonic_ns()) / 1e9)


async def _sleep_until(deadline_mono_ns: int) -> None:
    while (left_ns := deadline_mono_ns - time.monotonic_ns()) > 0:
        await asyncio.sleep(left_ns / 1e9)
