#!/usr/bin/env python3
"""A reverse proxy for LLM providers, governed by a weir policy: uvicorn in front, httpx behind.

    python3 proxy.py --policy ../policies/demo.json --state /tmp/weir.state --port 8080 --workers 4

All workers, and other gateways with the same state file, hold the policy's limits together. A
policy file that has changed is put in force within a second. /metrics is for Prometheus.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import sys

import httpx
import uvicorn

import weir
from weir.asgi import BackendFailed, WeirMiddleware, without

MAX_CALL_BYTES = 4 << 20


class Upstream:
    """An ASGI application: sends a request on to the backend that was chosen for it."""

    def __init__(self, http):
        self.http = http

    async def __call__(self, scope, receive, send):
        body = (await receive())["body"]
        backend = scope["weir"]
        # A compressed answer takes longer to read; httpx would ask for one.
        headers = [*without(without(scope["headers"], b"host"), b"accept-encoding"),
                   (b"accept-encoding", b"identity")]
        request = self.http.build_request(scope["method"], backend.url + backend.target,
                                          headers=headers, content=body)
        try:
            answer = await self.http.send(request, stream=True)
        except httpx.TransportError as error:
            raise BackendFailed(failure_of(error)) from error
        try:
            await send({"type": "http.response.start", "status": answer.status_code,
                        "headers": answer.headers.raw})
            await self.relay(answer, send)
        finally:
            await answer.aclose()

    async def relay(self, answer, send):
        pieces = answer.aiter_raw()
        while True:
            try:
                piece = await anext(pieces, b"")
            except httpx.TransportError as error:
                raise BackendFailed(failure_of(error)) from error
            await send({"type": "http.response.body", "body": piece, "more_body": bool(piece)})
            if not piece:
                return


def failure_of(error):
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return weir.Failure.CONNECT
    if isinstance(error, httpx.TimeoutException):
        return weir.Failure.TIMEOUT
    return weir.Failure.RESET


class Proxy:
    """The application that uvicorn serves: one in each worker."""

    def __init__(self, policy_path, state_path, ledger_path, log):
        self.policy_path = policy_path
        self.policy_time = os.stat(policy_path).st_mtime_ns
        self.engine = weir.Engine(weir.Policy.from_file(policy_path), state_file=state_path)
        self.ledger = weir.Ledger(ledger_path) if ledger_path else None
        self.log = log
        self.http = None
        self.governed = None

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        elif scope["type"] == "http" and scope["path"] == "/metrics":
            await self.send_metrics(dict(scope["headers"]).get(b"accept", b""), send)
        else:
            await self.governed(scope, receive, send)

    async def live(self, receive, send):
        await receive()
        # Deadlines are the policy's.
        self.http = httpx.AsyncClient(timeout=None, trust_env=False, limits=httpx.Limits(
            max_connections=None, max_keepalive_connections=100))
        self.governed = WeirMiddleware(Upstream(self.http), self.engine, call=self.call,
                                       on_end=self.write_log if self.log else None,
                                       ledger=self.ledger)
        watch = asyncio.create_task(self.watch_policy())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        watch.cancel()
        await self.http.aclose()
        self.engine.close()
        if self.ledger is not None:
            self.ledger.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def call(self, action):
        request = self.http.build_request("POST" if action.body else "GET",
                                          action.url + action.target, headers=action.edit([]),
                                          content=action.body)
        answer = await self.http.send(request, stream=True)
        try:
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > MAX_CALL_BYTES:
                    return 0, b""
            return answer.status_code, body
        finally:
            await answer.aclose()

    async def watch_policy(self):
        while True:
            await asyncio.sleep(1)
            with contextlib.suppress(FileNotFoundError):
                changed = os.stat(self.policy_path).st_mtime_ns
                if changed != self.policy_time:
                    self.policy_time = changed
                    self.reload()

    def reload(self):
        try:
            self.engine.reload(weir.Policy.from_file(self.policy_path))
        except weir.WeirError as error:
            logging.error("the old policy stays: %s:\n%s", self.policy_path, error)

    async def send_metrics(self, accept, send):
        kind, text = self.engine.metrics_as(accept.decode("latin-1"))
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-type", kind.encode())]})
        await send({"type": "http.response.body", "body": text.encode()})

    def write_log(self, explanation):
        print(json.dumps(explanation, separators=(",", ":")), flush=True)


def make_app():
    """For uvicorn's workers, which begin as new processes: their options are in the environment."""
    return Proxy(os.environ["WEIR_POLICY"], os.environ.get("WEIR_STATE", ""),
                 os.environ.get("WEIR_LEDGER", ""), os.environ.get("WEIR_LOG") == "1")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", required=True)
    parser.add_argument("--state", default="", help="file for the counters that workers share")
    parser.add_argument("--ledger", default="", help="file for a line of each request, which all "
                        "workers append to and weir report reads")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--log", action="store_true", help="a JSON line for each request")
    options = parser.parse_args()
    if options.workers > 1 and not options.state:
        parser.error("several workers share their limits only with --state")
    try:
        weir.Engine(weir.Policy.from_file(options.policy), state_file=options.state).close()
    except (weir.WeirError, OSError) as error:
        sys.exit(f"{options.policy}: {error}")
    os.environ.update(WEIR_POLICY=options.policy, WEIR_STATE=options.state,
                      WEIR_LEDGER=options.ledger, WEIR_LOG="1" if options.log else "")
    uvicorn.run("proxy:make_app", factory=True, app_dir=os.path.dirname(os.path.abspath(__file__)),
                host=options.host, port=options.port, workers=options.workers, access_log=False,
                log_level="warning")


if __name__ == "__main__":
    main()
