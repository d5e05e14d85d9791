"""Ledgers: each exchange's line once, and what a line says of its cost."""

import contextlib
import errno
import json
import os
import pathlib
import resource
import signal
import tempfile
import threading
import time
import unittest
import unittest.mock

import support
from asgi_test import Client, answers
from support import ANSWER, HEADERS, chat, engine, policy

import weir
from weir import CostVerdict, LineOutcome, WhenFull
from weir.asgi import WeirMiddleware

CHAT = ("POST", "/v1/chat/completions", HEADERS)
# 10 prompt and 2 completion tokens of gpt-4o, at the public 2.50 and 10 USD a million
MICRO_USD = 45


def exchange(running):
    """A transaction that has ended well."""
    txn = running.transaction()
    txn.request(*CHAT, chat(max_tokens=20))
    txn.response(200, {"content-type": "application/json"}, ANSWER)
    return txn


def is_whole(line):
    with contextlib.suppress(ValueError):
        return bool(json.loads(line)["id"])
    return False


class Ledgers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "ledger.jsonl"
        self.engine = engine(policy("http://a.test", "http://b.test"))

    def lines(self):
        """All but blank ones, which come of opening a file while another process writes."""
        text = self.path.read_bytes()
        self.assertTrue(text.endswith(b"\n"))
        return [line for line in text.splitlines(keepends=True) if line != b"\n"]

    def test_lines_of_several(self):
        with weir.Ledger(self.path) as ledger:
            for _ in range(3):
                with exchange(self.engine) as txn:
                    self.assertIs(ledger.append(txn), LineOutcome.WRITTEN)
                    with self.assertRaises(weir.FailedPreconditionError):
                        ledger.append(txn)
            with self.engine.transaction() as refused:
                refused.request("POST", "/v1/chat/completions", [], chat())
                ledger.append(refused)
            ledger.flush(sync=True)
            status = ledger.status()
        self.assertEqual((status.written_lines, status.written_bytes),
                         (4, self.path.stat().st_size))
        self.assertEqual((status.dropped_lines, status.failed_writes, status.torn_tails), (0, 0, 0))
        lines = [json.loads(line) for line in self.lines()]
        self.assertEqual(len({line["id"] for line in lines}), 4)
        self.assertEqual([line["status"] for line in lines], [200, 200, 200, 401])
        for line, text in zip(lines[:3], self.lines()):
            self.assertEqual((line["consumer"], line["route"], line["backend"], line["served"]),
                             ("team", "chat", "b0", "gpt-4o"))
            self.assertEqual((line["usage"]["prompt"], line["usage"]["completion"]), (10, 2))
            self.assertEqual(line["cost"]["micro_usd"], MICRO_USD)
            self.assertEqual(weir.recompute_cost(text), (CostVerdict.AGREES, MICRO_USD))
        self.assertNotIn("cost", lines[3])
        self.assertNotIn(b"payg-secret", self.path.read_bytes())
        self.assertNotIn(b"hello", self.path.read_bytes())

    def test_recompute(self):
        with exchange(self.engine) as txn:
            line = txn.ledger_line()
        told = json.loads(line)
        told["cost"]["micro_usd"] += 1
        self.assertEqual(weir.recompute_cost(json.dumps(told)), (CostVerdict.DIFFERS, MICRO_USD))
        told["cost"] = {"micro_usd": None}
        self.assertIs(weir.recompute_cost(json.dumps(told))[0], CostVerdict.UNKNOWN)
        with self.assertRaises(weir.InvalidArgumentError):
            weir.recompute_cost("{}")

    def test_otlp(self):
        with exchange(self.engine) as txn:
            line = txn.ledger_line()
        text, poison = weir.otlp_json(weir.OtlpKind.SPANS, line + b"{}\n", service_name="gateway")
        (resource,) = json.loads(text)["resourceSpans"]
        self.assertEqual(resource["resource"]["attributes"][0]["value"]["stringValue"], "gateway")
        (span,) = resource["scopeSpans"][0]["spans"]
        self.assertEqual(span["traceId"], json.loads(line)["id"])
        self.assertEqual(poison, 1)
        text, poison = weir.otlp_json(weir.OtlpKind.LOG_RECORDS, line * 100)
        (resource,) = json.loads(text)["resourceLogs"]
        self.assertEqual(len(resource["scopeLogs"][0]["logRecords"]), 100)
        self.assertEqual(weir.otlp_json(weir.OtlpKind.SPANS, b""), (b"", 0))
        with self.assertRaises(weir.InvalidArgumentError):
            weir.otlp_json(7, line)

    def test_a_line_kept_elsewhere(self):
        with self.engine.transaction() as txn:
            with self.assertRaises(weir.FailedPreconditionError):
                txn.ledger_line()
        with weir.Ledger(os.fsencode(self.path)) as ledger, exchange(self.engine) as txn:
            line = txn.ledger_line()
            self.assertEqual(line, txn.ledger_line())
            self.assertIs(ledger.append_line(line), LineOutcome.WRITTEN)
            with self.assertRaises(weir.InvalidArgumentError):
                ledger.append_line(line[:-1])
        self.assertEqual(self.lines(), [line])

    def test_many_processes_and_threads(self):
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                with weir.Ledger(self.path) as ledger:
                    threads = [threading.Thread(target=self.append_hundred, args=(ledger,))
                               for _ in range(2)]
                    for thread in threads:
                        thread.start()
                    for thread in threads:
                        thread.join()
                os._exit(0)
            children.append(child)
        for child in children:
            self.assertEqual(os.waitpid(child, 0)[1], 0)
        ids = [json.loads(line)["id"] for line in self.lines()]
        self.assertEqual((len(ids), len(set(ids))), (600, 600))

    def append_hundred(self, ledger):
        for _ in range(100):
            with exchange(self.engine) as txn:
                ledger.append(txn)

    def test_rotation(self):
        with weir.Ledger(self.path, rotate_bytes=1) as ledger:
            self.append_hundred(ledger)
            self.assertGreater(ledger.status().rotations, 0)
        files = list(self.path.parent.glob("ledger.jsonl*"))
        self.assertGreater(len(files), 1)
        self.assertEqual(sum(len(each.read_bytes().splitlines()) for each in files), 100)

    def test_when_full(self):
        """A limit on file sizes stands for a full disk."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, before)
        self.addCleanup(signal.signal, signal.SIGXFSZ, signal.getsignal(signal.SIGXFSZ))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with weir.Ledger(self.path, when_full=WhenFull.REFUSE, spool_bytes=64 << 10) as ledger:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
            outcomes = []
            with self.assertRaises(weir.ResourceExhaustedError):
                while True:
                    with exchange(self.engine) as txn:
                        outcomes.append(ledger.append(txn))
            self.assertIn(LineOutcome.SPOOLED, outcomes)
            self.assertFalse(ledger.accepts())
            self.assertIn(ledger.status().last_error, (errno.EFBIG, errno.ENOSPC))
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            later = weir.Now(time.monotonic_ns() + 10**9, time.time_ns() + 10**9)
            self.assertTrue(ledger.accepts(now=later))
        kept = [line for line in self.lines() if is_whole(line)]
        self.assertEqual(len(kept), len(outcomes))
        self.assertLessEqual(len(self.lines()) - len(kept), 1)  # what the full disk cut off

    def test_faults(self):
        with self.assertRaises(weir.NotFoundError):
            weir.Ledger(self.path / "no" / "such")
        with self.assertRaises(weir.FailedPreconditionError):
            weir.Ledger("/dev/null")
        with self.assertRaises(weir.InvalidArgumentError):
            weir.Ledger(self.path, spool_bytes=1)
        ledger = weir.Ledger(self.path)
        ledger.close()
        ledger.close()
        with exchange(self.engine) as txn, self.assertRaises(weir.InvalidArgumentError):
            ledger.append(txn)
        with self.assertRaises(weir.InvalidArgumentError):
            ledger.status()

    def test_overhead(self):
        for _ in range(2):
            with exchange(self.engine) as txn:
                txn.add_overhead(20_000)
                txn.add_overhead(30_000)
                with self.assertRaises(weir.InvalidArgumentError):
                    txn.add_overhead(-1)
        metrics = dict(line.rsplit(" ", 1) for line in self.engine.metrics().splitlines()
                       if line.startswith("weir_overhead"))
        total = {name.partition("{")[0]: float(value) for name, value in metrics.items()}
        self.assertEqual(total["weir_overhead_seconds_count"], 2)
        self.assertAlmostEqual(total["weir_overhead_seconds_sum"], 100e-6, places=9)


class Middleware(unittest.IsolatedAsyncioTestCase):
    async def ask(self, ledger, application, headers=HEADERS, leaves_after=None):
        running = engine(policy("http://a.test", "http://b.test"))
        governed = WeirMiddleware(application, running, ledger=ledger)
        client = Client(chat(max_tokens=20), headers, leaves_after)
        await governed(client.scope, client.receive, client.send)
        return client

    async def test_a_line_each(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "ledger.jsonl"
            with weir.Ledger(path) as ledger:
                for headers in (HEADERS, [], HEADERS):
                    await self.ask(ledger, answers(ANSWER), headers)
                lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        self.assertEqual([line["status"] for line in lines], [200, 401, 200])
        self.assertEqual([line["outcome"] for line in lines], ["ok", "refused", "ok"])

    async def test_no_room(self):
        ledger = unittest.mock.Mock(spec=weir.Ledger)
        ledger.accepts.return_value = False
        application = answers(ANSWER)
        client = await self.ask(ledger, application)
        self.assertEqual((client.status, application.seen), (503, []))
        self.assertIn("ledger", json.loads(client.answer)["error"]["message"])
        ledger.accepts.return_value = True
        ledger.append.side_effect = weir.ResourceExhaustedError(
            weir.Status.RESOURCE_EXHAUSTED, "no room")
        with self.assertLogs("weir") as logged:
            client = await self.ask(ledger, application)
        self.assertEqual((client.status, client.answer), (200, ANSWER))
        self.assertIn("no room", "".join(logged.output))


if __name__ == "__main__":
    unittest.main()
