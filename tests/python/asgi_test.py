"""The middleware around applications of this process, without a server."""

import asyncio
import json
import unittest

from support import ANSWER, HEADERS, chat, engine, policy

import weir
from weir.asgi import BackendFailed, WeirMiddleware

RETRY = {"attempts": 2, "on": ["5xx", "connect", "timeout", "reset"]}
TOKENS = {"tokens": {"key": "consumer.id", "unit": "tokens", "amount": 100, "per": "1m",
                     "reserve": {"prompt": "exact", "output": "max_tokens"}}}
SSE = [(b"content-type", b"text/event-stream")]
JSON = [(b"content-type", b"application/json"), (b"content-length", b"999"),
        (b"connection", b"x-hop"), (b"x-hop", b"1"), (b"x-kept", b"1")]


def event(content):
    return b"data: " + json.dumps({"choices": [{"delta": {"content": content}}]}).encode() + b"\n\n"


def answers(*pieces, status=200, headers=JSON):
    """An application that answers so."""
    async def application(scope, receive, send):
        application.seen.append((scope, (await receive())["body"]))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})
    application.seen = []
    return application


class Client:
    """What a server and its client are to an application."""

    def __init__(self, body, headers=HEADERS, leaves_after=None):
        self.scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions",
                      "raw_path": b"/v1/chat/completions", "query_string": b"",
                      "headers": headers, "client": ("192.0.2.1", 1234)}
        self.body = [body[:10], body[10:]]
        self.leaves_after = leaves_after  # so many messages of the answer
        self.messages = []
        self.left = asyncio.Event()

    async def receive(self):
        if self.body:
            return {"type": "http.request", "body": self.body.pop(0),
                    "more_body": bool(self.body)}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.messages.append(message)
        if len(self.messages) == self.leaves_after:
            self.left.set()
            await asyncio.sleep(1)  # cancelled long before

    @property
    def status(self):
        return self.messages[0]["status"]

    @property
    def headers(self):
        return dict(self.messages[0]["headers"])

    @property
    def answer(self):
        return b"".join(message["body"] for message in self.messages[1:])

    @property
    def is_complete(self):
        return len(self.messages) > 1 and not self.messages[-1]["more_body"]


class Middleware(unittest.IsolatedAsyncioTestCase):
    async def ask(self, application, body=None, *, limits=None, headers=HEADERS,
                  leaves_after=None, call=None, embed=None, document=None, host=None):
        document = document or policy("http://a.test", "http://b.test", limits=limits, retry=RETRY)
        self.explained = []
        governed = WeirMiddleware(application, host or engine(document), call=call, embed=embed,
                                  on_end=self.explained.append)
        client = Client(body or chat(max_tokens=20), headers, leaves_after)
        await asyncio.wait_for(governed(client.scope, client.receive, client.send), 10)
        return client

    async def test_whole_answer(self):
        application = answers(ANSWER[:20], ANSWER[20:])
        client = await self.ask(application)
        self.assertEqual((client.status, client.answer), (200, ANSWER))
        self.assertTrue(client.is_complete)
        self.assertEqual(client.headers[b"content-length"], str(len(ANSWER)).encode())
        self.assertEqual(client.headers[b"x-kept"], b"1")
        self.assertNotIn(b"x-hop", client.headers)
        scope, body = application.seen[0]
        self.assertEqual(body, chat(max_tokens=20))
        self.assertEqual(scope["weir"].url, "http://a.test")
        self.assertEqual(dict(scope["headers"])[b"authorization"], b"Bearer payg-secret")
        self.assertEqual(dict(scope["headers"])[b"content-length"], str(len(body)).encode())
        self.assertEqual(self.explained[0]["usage"]["completion"], 2)

    async def test_what_weir_takes_is_measured(self):
        document = policy("http://a.test")
        document["meters"] = {"stages": {"overhead_stages": True}}
        document["routes"][0]["meter"] = "stages"
        running = engine(document)
        for _ in range(2):
            await self.ask(answers(ANSWER), host=running)
        text = running.metrics()
        metrics = text[text.index("weir_overhead_seconds_bucket"):]
        for stage in ("request", "response", "total"):
            self.assertIn(f'weir_overhead_seconds_count{{stage="{stage}"}} 2\n', metrics)
            took_s = metrics.partition(f'weir_overhead_seconds_sum{{stage="{stage}"}} ')[2]
            self.assertGreater(float(took_s.partition("\n")[0]), 0)

    async def test_host_embeds(self):
        document = policy("http://a.test")
        document["caches"] = {"faq": {"embedding": {"host": "minilm", "dimensions": 8,
                                                    "deadline": "5s"},
                                      "min_similarity": 0.9, "partition": ["consumer.id"]}}
        document["routes"][0]["cache"] = "faq"
        host, asked = engine(document), []

        async def embed(name, text):
            asked.append((name, text))
            return [1.0] * 8

        application = answers(ANSWER, headers=[(b"content-type", b"application/json")])
        first = await self.ask(application, chat("How do I say hello?"), embed=embed, host=host)
        self.assertEqual((first.status, first.answer), (200, ANSWER))
        self.assertEqual([name for name, _ in asked], ["minilm"])
        self.assertIn(b"How do I say hello?", asked[0][1])
        second = await self.ask(application, chat("How is hello said?"), embed=embed, host=host)
        self.assertEqual((second.status, len(application.seen)), (200, 1))
        self.assertIn(b"Hello.", second.answer)
        self.assertEqual(host.purge_cache("faq", model="another"), 0)
        self.assertEqual(host.purge_cache("faq"), 1)

        async def fail(name, text):
            raise ConnectionError(name)

        for hook in (fail, None):  # without a vector the request goes on
            with self.assertNoLogs("weir") if hook is None else self.assertLogs("weir"):
                other = await self.ask(application, chat(f"Else {hook}"), embed=hook, host=host)
            self.assertEqual((other.status, other.answer), (200, ANSWER))

    async def test_stream_is_relayed_as_it_comes(self):
        pieces = [event("Hello"), event(" there."), b"data: [DONE]\n\n"]
        client = await self.ask(answers(*pieces, headers=SSE), chat(stream=True))
        relayed = [message["body"] for message in client.messages[1:]]
        self.assertEqual(relayed[:2], pieces[:2])
        self.assertNotIn(b"content-length", client.headers)
        self.assertTrue(client.is_complete)

    async def test_refusals_reach_no_application(self):
        application = answers(ANSWER)
        client = await self.ask(application, headers=[])
        self.assertEqual(client.status, 401)
        client = await self.ask(application, chat(max_tokens=1000), limits=TOKENS)
        self.assertEqual(client.status, 429)
        self.assertTrue(client.is_complete)
        self.assertEqual(application.seen, [])

    async def test_next_backend_is_tried(self):
        seen = []

        async def application(scope, receive, send):
            seen.append(scope["weir"].url)
            if len(seen) == 1:
                raise BackendFailed(weir.Failure.CONNECT)
            await answers(ANSWER)(scope, receive, send)

        client = await self.ask(application)
        self.assertEqual((client.status, client.answer), (200, ANSWER))
        self.assertEqual(seen, ["http://a.test", "http://b.test"])

    async def test_unwanted_answer_is_dropped(self):
        seen = []

        async def application(scope, receive, send):
            seen.append(scope["weir"].attempt)
            status = 500 if len(seen) == 1 else 200
            await answers(b"no" if status == 500 else ANSWER, status=status)(scope, receive, send)

        client = await self.ask(application)
        self.assertEqual((client.status, client.answer, seen), (200, ANSWER, [1, 2]))

    async def test_every_failure_of_an_application(self):
        async def raises(scope, receive, send):
            raise RuntimeError("the application's own fault")

        async def returns(scope, receive, send):
            pass

        for application in (raises, returns):
            with self.assertLogs("weir") if application is raises else self.subTest():
                client = await self.ask(application)
            self.assertGreaterEqual(client.status, 500)
            self.assertTrue(client.is_complete)

    async def test_deadline(self):
        async def hangs(scope, receive, send):
            await asyncio.sleep(60)

        document = policy("http://a.test")
        document["backends"]["b0"]["timeout"] = "100ms"
        client = await self.ask(hangs, document=document)
        self.assertEqual(client.status, 504)

    async def test_broken_answer_does_not_look_complete(self):
        async def breaks(scope, receive, send):
            await send({"type": "http.response.start", "status": 200,
                        "headers": [(b"content-type", b"application/octet-stream")]})
            await send({"type": "http.response.body", "body": b"x" * (2 << 20),
                        "more_body": True})
            raise BackendFailed(weir.Failure.RESET)

        client = await self.ask(breaks)
        self.assertFalse(client.is_complete)

    async def test_broken_stream_ends_in_its_own_words(self):
        async def breaks(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": SSE})
            await send({"type": "http.response.body", "body": event("Hel"), "more_body": True})
            raise BackendFailed(weir.Failure.RESET)

        client = await self.ask(breaks, chat(stream=True))
        self.assertIn(b'"error"', client.answer)
        self.assertTrue(client.is_complete)

    async def test_client_leaves(self):
        ended = []

        async def streams(scope, receive, send):
            try:
                await send({"type": "http.response.start", "status": 200, "headers": SSE})
                for _ in range(100):
                    await send({"type": "http.response.body", "body": event("word "),
                                "more_body": True})
            finally:
                ended.append(True)

        client = await self.ask(streams, chat(stream=True), leaves_after=4)
        self.assertEqual(len(client.messages), 4)
        self.assertEqual(ended, [True])
        self.assertEqual(self.explained[0]["usage"]["completion"],
                         weir.count_tokens("gpt-4o", "word word word "))

    async def test_request_waits_for_room(self):
        limits = {"slow": {"key": "consumer.id", "unit": "requests", "amount": 1, "per": "1s",
                           "algorithm": "token_bucket", "burst": 1,
                           "on_exceeded": {"action": "wait", "max_wait": "5s"}}}
        document = policy("http://a.test", limits=limits)
        self.assertEqual(weir.Policy.check(document), [])
        governed = WeirMiddleware(answers(ANSWER), engine(document))
        clients = [Client(chat()) for _ in range(2)]
        begun = asyncio.get_running_loop().time()
        await asyncio.gather(*(governed(each.scope, each.receive, each.send) for each in clients))
        self.assertEqual([each.status for each in clients], [200, 200])
        self.assertGreater(asyncio.get_running_loop().time() - begun, 0.9)

    async def test_other_scopes_pass(self):
        seen = []

        async def application(scope, receive, send):
            seen.append(scope["type"])

        governed = WeirMiddleware(application, engine(policy("http://a.test")))
        await governed({"type": "websocket"}, None, None)
        self.assertEqual(seen, ["websocket"])


if __name__ == "__main__":
    unittest.main()
