"""Policies, engines and transactions."""

import gc
import os
import pathlib
import tempfile
import threading
import unittest
import weakref

import support
from support import ANSWER, HEADERS, PEPPER, chat, engine, key_hash, policy

import weir
from weir import ActionKind, HeaderOperation

CHAT = ("POST", "/v1/chat/completions", HEADERS)
LIMIT = {"tokens": {"key": "consumer.id", "unit": "tokens", "amount": 100, "per": "1m",
                    "reserve": {"prompt": "exact", "output": "max_tokens"}}}


class Policies(unittest.TestCase):
    def test_faults_have_a_place(self):
        document = '{\n  "weir": 1,\n  "backends": 7\n}'
        with self.assertRaises(weir.InvalidArgumentError) as caught:
            weir.Policy(document)
        error = caught.exception
        self.assertIsInstance(error, ValueError)
        self.assertGreater(len(weir.Policy.check(document)), 1)
        self.assertIn("3:15: backends", "\n".join(weir.Policy.check(document)))
        with self.assertRaises(weir.InvalidArgumentError) as caught:
            weir.Policy('{\n  "weir": 1,\n  oops')
        self.assertEqual((caught.exception.line, caught.exception.column), (3, 3))
        self.assertEqual(caught.exception.offset, 17)
        self.assertEqual(weir.Policy.check(policy("http://a.test")), [])

    def test_warnings(self):
        document = policy("http://a.test")
        document["limits"]["idle"] = {"key": "consumer.id", "amount": 1, "per": "1m"}
        self.assertIn("idle", "\n".join(weir.Policy.warnings(document)))

    def test_secrets(self):
        made = weir.Policy(policy("http://a.test"))
        self.assertEqual(made.secrets, [weir.Secret(weir.SecretKind.ENV, "PAYG_KEY")])
        with self.assertRaisesRegex(weir.FailedPreconditionError, "PAYG_KEY"):
            weir.Engine(made)
        made.set_secret(0, "Bearer x")
        weir.Engine(made)
        with self.assertRaises(weir.FailedPreconditionError):
            made.set_secret(0, "Bearer y")
        with self.assertRaises(weir.OutOfRangeError):
            weir.Policy(policy("http://a.test")).set_secret(9, "")

    def test_secrets_of_files(self):
        document = policy("http://a.test")
        with tempfile.TemporaryDirectory() as folder:
            key = pathlib.Path(folder) / "key"
            key.write_text("Bearer of-a-file\n")
            document["credentials"]["payg"]["value"] = {"file": str(key)}
            made = weir.Policy(document)
            made.resolve_secrets({})
        with weir.Engine(made) as running, running.transaction() as txn:
            edits = txn.request(*CHAT, chat()).edits
        self.assertIn((HeaderOperation.SET, b"authorization", b"Bearer of-a-file"), edits)

    def test_key_hash(self):
        self.assertEqual(weir.key_hash(PEPPER, "vk-1"), key_hash("vk-1"))

    def test_demo_policy(self):
        text = (support.ROOT / "examples/policies/demo.json").read_text(encoding="utf-8")
        self.assertEqual(weir.Policy.check(text), [])


class Transactions(unittest.TestCase):
    def setUp(self):
        self.engine = engine(policy("http://a.test:8000", "http://b.test", limits=LIMIT, retry={
            "attempts": 2, "on": ["5xx", "connect"]}))

    def test_one(self):
        with self.engine.transaction() as txn:
            forward = txn.request(*CHAT, chat(max_tokens=20), client="192.0.2.1")
            self.assertIs(forward.kind, ActionKind.FORWARD)
            self.assertEqual((forward.url, forward.target, forward.attempt),
                             ("http://a.test:8000", "/v1/chat/completions", 1))
            self.assertGreater(forward.deadline_mono_ns, 0)
            self.assertIn((b"authorization", b"Bearer payg-secret"), forward.edit(HEADERS))
            self.assertNotIn((b"authorization", b"Bearer vk-1"), forward.edit(HEADERS))
            begin = txn.response_head(200, {"content-type": "application/json"})
            self.assertEqual((begin.kind, begin.status), (ActionKind.CONTINUE, 200))
            body = txn.response_body(ANSWER).body
            end = txn.response_end()
            self.assertIs(end.kind, ActionKind.DONE)
            self.assertEqual(body + end.body, ANSWER)
            explanation = txn.explain()
            self.assertEqual(explanation["usage"]["completion"], 2)

    def test_pieces_and_retry(self):
        with self.engine.transaction() as txn:
            self.assertIs(txn.request_head(*CHAT).kind, ActionKind.CONTINUE)
            for byte in chat(max_tokens=20):
                txn.request_body(bytes([byte]))
            self.assertEqual(txn.request_end().url, "http://a.test:8000")
            again = txn.response_failed(weir.Failure.CONNECT)
            self.assertEqual((again.kind, again.url, again.attempt),
                             (ActionKind.FORWARD, "http://b.test", 2))

    def test_refusals_are_replies(self):
        with self.engine.transaction() as txn:
            reply = txn.request("POST", "/v1/chat/completions", [], chat())
            self.assertEqual((reply.kind, reply.status), (ActionKind.REPLY, 401))
        with self.engine.transaction() as txn:
            reply = txn.request(*CHAT, chat(max_tokens=1000))
            self.assertEqual((reply.kind, reply.status), (ActionKind.REPLY, 429))
            self.assertIn(b"x-ratelimit-limit-tokens", dict(reply.edit([])))

    def test_order_of_calls(self):
        with self.engine.transaction() as txn:
            with self.assertRaises(weir.FailedPreconditionError):
                txn.response_end()
            with self.assertRaises(weir.FailedPreconditionError):
                txn.call_result(7, 200, b"")
            with self.assertRaises(weir.FailedPreconditionError):
                txn.response_from(3)
        with self.assertRaises(weir.InvalidArgumentError):
            txn.explain()
        txn.close()

    def test_headers_are_lines(self):
        for headers in ([(b"x-a", b"1\nx-b: 2")], [(b"x\n", b"1")], {"x-a": "1\n"}):
            with self.engine.transaction() as txn, self.assertRaises(weir.InvalidArgumentError):
                txn.request_head("POST", "/v1/chat/completions", headers)
        with self.engine.transaction() as txn:
            headers = [*HEADERS, (b"x-empty", b""), ("x-text", "\u00fc")]
            self.assertIs(txn.request("POST", "/v1/chat/completions", headers,
                                      chat(max_tokens=20)).kind, ActionKind.FORWARD)

    def test_edits_in_order(self):
        action = weir.Action.__new__(weir.Action)
        action.edits = [(HeaderOperation.SET, b"a", b"1"), (HeaderOperation.ADD, b"a", b"2"),
                        (HeaderOperation.REMOVE, b"b", b""), (HeaderOperation.ADD, b"c", b"3")]
        self.assertEqual(action.edit([(b"A", b"0"), (b"B", b"0"), (b"C", b"0"), (b"a", b"9")]),
                         [(b"C", b"0"), (b"a", b"1"), (b"a", b"2"), (b"c", b"3")])
        action.edits = [(HeaderOperation.SET, b"a", b"1"), (HeaderOperation.ADD, b"c", b"3")]
        self.assertEqual(action.edit([(b"A", b"0"), (b"C", b"0")]),
                         [(b"C", b"0"), (b"a", b"1"), (b"c", b"3")])
        action.edits = [(HeaderOperation.SET, b"a", b"1"), (HeaderOperation.REMOVE, b"b", b""),
                        (HeaderOperation.SET, b"d", b"")]
        self.assertEqual(action.edit([(b"A", b"0"), (b"B", b"0"), (b"C", b"0")]),
                         [(b"C", b"0"), (b"a", b"1"), (b"d", b"")])
        self.assertEqual(action.edits[1], (HeaderOperation.REMOVE, b"b", b""))
        action.edits = []
        self.assertEqual(action.edit([(b"A", b"0")]), [(b"A", b"0")])

    def test_closed_engine(self):
        txn = self.engine.transaction()
        self.engine.close()
        self.assertIs(txn.request(*CHAT, chat(max_tokens=20)).kind, ActionKind.FORWARD)
        with self.assertRaises(weir.InvalidArgumentError):
            self.engine.transaction()

    def test_abandoned_one_gives_its_reservation_back(self):
        for _ in range(10):  # 100 tokens a minute let one in at a time
            txn = self.engine.transaction()
            self.assertIs(txn.request(*CHAT, chat(max_tokens=70)).kind, ActionKind.FORWARD)
            txn.response_failed(weir.Failure.CONNECT)
            txn.response_failed(weir.Failure.CONNECT)
            alive = weakref.ref(self.engine)
            del txn
            gc.collect()
        self.assertIsNotNone(alive())

    def test_reload_keeps_counters(self):
        with self.engine.transaction() as txn:
            txn.request(*CHAT, chat(max_tokens=80))
            for _ in range(500 if not support.LONG else 10000):
                made = weir.Policy(policy("http://a.test", limits=LIMIT))
                made.resolve_secrets({"PAYG_KEY": "x"})
                self.engine.reload(made)
            with self.engine.transaction() as other:
                self.assertEqual(other.request(*CHAT, chat(max_tokens=80)).status, 429)
        with self.assertRaises(weir.FailedPreconditionError):
            self.engine.reload(weir.Policy(policy("http://a.test")))
        with self.engine.transaction() as txn:
            self.assertEqual(txn.request(*CHAT, chat(max_tokens=1)).url, "http://a.test")

    def test_override(self):
        self.engine.override_limit("tokens", 10_000, 60_000)
        with self.engine.transaction() as txn:
            self.assertIs(txn.request(*CHAT, chat(max_tokens=1000)).kind, ActionKind.FORWARD)
        with self.assertRaises(weir.NotFoundError):
            self.engine.override_limit("no-such", 1, 1)

    def test_purge(self):
        for named in ({}, {"partition": "red"}, {"model": "gpt-4o"}, {"entry": "1"}):
            with self.assertRaises(weir.NotFoundError):
                self.engine.purge_cache("no-such", **named)
        with self.assertRaises(TypeError):
            self.engine.purge_cache("faq", model="m", entry="1")

    def test_what_people_read(self):
        with self.engine.transaction() as txn:
            txn.request(*CHAT, chat(max_tokens=20))
            txn.response_head(200, {"content-type": "application/json"})
            txn.response_body(ANSWER)
            txn.response_end()
        status = self.engine.status()
        self.assertEqual([each["backend"] for each in status["backends"]], ["b0", "b1"])
        self.assertIn('gen_ai_client_token_usage_bucket{route="chat"', self.engine.metrics())
        kind, text = self.engine.metrics_as("application/openmetrics-text; version=1.0.0")
        self.assertTrue(kind.startswith("application/openmetrics-text"), kind)
        self.assertTrue(text.endswith("# EOF\n"), text[-80:])
        number, batch = self.engine.export_metrics("otlp_delta", service_name="gateway")
        self.assertIn(b'"stringValue":"gateway"', batch)
        self.assertEqual(self.engine.export_metrics("otlp_delta", service_name="gateway"),
                         (number, batch))
        self.engine.acknowledge_metrics("otlp_delta", number)
        with self.assertRaises(weir.FailedPreconditionError):
            self.engine.acknowledge_metrics("otlp_delta", number)
        self.assertEqual(self.engine.changes()["changes"], [])

    def test_many_threads(self):
        self.engine.override_limit("tokens", 10**9, 600_000)
        kinds = []

        def work():
            for _ in range(100):
                with self.engine.transaction() as txn:
                    txn.request(*CHAT, chat(max_tokens=5))
                    txn.response_head(200)
                    txn.response_body(ANSWER)
                    kinds.append(txn.response_end().kind)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(kinds, [ActionKind.DONE] * 800)

    def test_child_with_private_memory(self):
        child = os.fork()
        if child == 0:
            with self.engine.transaction() as txn:
                good = txn.request(*CHAT, chat(max_tokens=80)).kind is ActionKind.FORWARD
            os._exit(0 if good else 1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        with self.engine.transaction() as txn:
            self.assertIs(txn.request(*CHAT, chat(max_tokens=80)).kind, ActionKind.FORWARD)


if __name__ == "__main__":
    unittest.main()
