"""What every host does with weir, without a network: feed events, perform actions."""

import json
from dataclasses import dataclass, field

import weir

START = weir.Now(1_000_000_000_000, 1_767_225_600_000_000_000)  # of a transcript's clocks
FAILURES = {"connect": weir.Failure.CONNECT, "timeout": weir.Failure.TIMEOUT,
            "reset": weir.Failure.RESET}


class Fault(Exception):
    """Something is not as the transcript expects it."""


@dataclass
class Exchange:
    """One transaction as the host sees it: the last action, what the backend is sent by the last
    FORWARD or CALL, and what the client has been given so far."""

    name: str
    txn: weir.Transaction
    action: weir.Action | None = None
    client_headers: list = field(default_factory=list)
    url: str = ""
    target: str = ""
    call_id: int = 0  # of the last CALL
    backend_headers: list = field(default_factory=list)
    backend_body: bytes = b""
    status: int = 0
    replied_at_ms: int = 0
    answer_headers: list = field(default_factory=list)
    answer: bytes = b""


def pairs_of(values):
    """An object of names to a value or several, as a list of headers."""
    return [(name.encode(), each.encode()) for name, value in (values or {}).items()
            for each in (value if isinstance(value, list) else [value])]


def body_of(message):
    """A body given as JSON ("body") or as text ("body_text")."""
    if "body" in message:
        return json.dumps(message["body"], separators=(",", ":"), ensure_ascii=False).encode()
    return message.get("body_text", "").encode()


class Host:
    def __init__(self, secrets, cut):
        self.secrets = secrets
        self.cut = cut  # bodies are fed in pieces of so many bytes; 0: whole
        self.engine = None
        self.at_ms = 0
        self.exchanges = []

    def now(self):
        at_ns = self.at_ms * 1_000_000
        return weir.Now(START.mono_ns + at_ns, START.unix_ns + at_ns)

    def put_in_force(self, document):
        with weir.Policy(json.dumps(document, indent=1)) as policy:
            for index, secret in enumerate(policy.secrets):
                if secret.name in self.secrets:
                    policy.set_secret(index, self.secrets[secret.name])
            if self.engine is None:
                self.engine = weir.Engine(policy, seed=1)
            else:
                self.engine.reload(policy)

    def find(self, name):
        return next((x for x in reversed(self.exchanges) if x.name == name), None)

    def begin(self, name):
        self.exchanges.append(Exchange(name, self.engine.transaction()))
        return self.exchanges[-1]

    def pieces(self, body):
        size = self.cut or len(body)
        return [body[at:at + size] for at in range(0, len(body), size or 1)]

    def perform(self, x, action):
        """Does what the action says."""
        x.action = action
        kind = action.kind
        if kind is weir.ActionKind.FORWARD:
            x.url, x.target, x.backend_body = action.url, action.target, action.body
            x.backend_headers = action.edit(x.client_headers)
        elif kind is weir.ActionKind.CALL:
            x.url, x.target, x.backend_body = action.url, action.target, action.body
            x.backend_headers = action.edit([])  # weir's own: nothing of the client's goes with it
            x.call_id = action.call_id
        elif kind is weir.ActionKind.REPLY:
            x.status, x.replied_at_ms = action.status, self.at_ms
            x.answer_headers, x.answer = action.edit([]), action.body
        elif kind in (weir.ActionKind.CONTINUE, weir.ActionKind.DONE, weir.ActionKind.FINISH):
            x.answer += action.body
        return kind is weir.ActionKind.CONTINUE

    def request(self, x, request):
        for name, value in pairs_of(request.get("attributes")):
            x.txn.attribute(name, value)
        x.client_headers = pairs_of(request.get("headers"))
        head = (request.get("method", "POST"), request.get("target", "/v1/chat/completions"),
                x.client_headers)
        client = request.get("client", "192.0.2.1")
        body = body_of(request)
        if self.cut == 0:
            self.perform(x, x.txn.request(*head, body, client=client, now=self.now()))
            return
        if not self.perform(x, x.txn.request_head(*head, client=client, now=self.now())):
            return
        for piece in self.pieces(body):
            x.txn.request_body(piece)
        self.perform(x, x.txn.request_end(now=self.now()))

    def response(self, x, response):
        headers = pairs_of(response.get("headers"))
        if self.cut == 0 and "chunks" not in response and response.get("end", True):
            self.whole_response(x, response, headers)
            return
        action = x.txn.response_head(response.get("status", 200), headers, now=self.now())
        if not self.perform(x, action):
            return
        x.status, x.answer_headers = action.status, action.edit(headers)
        if self.feed_answer(x, body_of(response)):
            self.more(x, response)

    def whole_response(self, x, response, headers):
        action = x.txn.response(response.get("status", 200), headers, body_of(response),
                                now=self.now())
        if action.kind in (weir.ActionKind.DONE, weir.ActionKind.FINISH):
            x.status, x.answer_headers = action.status, action.edit(headers)
        self.perform(x, action)

    def feed_answer(self, x, body):
        """False when the answer is over."""
        return all(self.perform(x, x.txn.response_body(piece, now=self.now()))
                   for piece in self.pieces(body))

    def more(self, x, more):
        if not all(self.feed_answer(x, chunk.encode()) for chunk in more.get("chunks", [])):
            return
        if more.get("end", True):
            self.perform(x, x.txn.response_end(now=self.now()))

    def failed(self, x, failure):
        self.perform(x, x.txn.response_failed(FAILURES[failure], now=self.now()))

    def call(self, x, call):
        status, body = call.get("status", 200), body_of(call)
        action = x.txn.call_result(x.call_id, status, body, now=self.now())
        self.perform(x, action)

    def again(self, x):
        self.perform(x, x.txn.next(now=self.now()))

    def close(self):
        for x in self.exchanges:
            x.txn.close()
        if self.engine is not None:
            self.engine.close()
