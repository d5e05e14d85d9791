"""examples/python/proxy.py under uvicorn, in front of simulated providers."""

import concurrent.futures
import http.client
import json
import pathlib
import sys
import tempfile
import time
import unittest

import support
from support import chat, find_program, policy, start_proxy, start_upstream

try:
    find_program("WEIR_UPSTREAM", "needs the simulated provider")
    import httpx
    import uvicorn  # noqa: F401
except (ImportError, unittest.SkipTest) as reason:
    print(f"skipped: {reason}")
    sys.exit(77)

PATH = "/v1/chat/completions"
HEADERS = {"authorization": "Bearer vk-1", "content-type": "application/json"}
RETRY = {"attempts": 2, "on": ["429", "5xx", "connect", "reset"]}
TOKENS = {"tokens": {"key": "consumer.id", "unit": "tokens", "amount": 2000, "per": "1h",
                     "reserve": {"prompt": "exact", "output": "max_tokens"}}}


class Proxy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.http = httpx.Client(timeout=20, trust_env=False, headers=HEADERS)
        self.addCleanup(self.http.close)

    def start(self, document, *options):
        self.policy_path = self.folder / "policy.json"
        self.policy_path.write_text(json.dumps(document))
        return start_proxy(self, self.policy_path, *options)

    def test_answers_streams_and_what_they_cost(self):
        upstream = start_upstream(self)
        proxy = self.start(policy(upstream.url))
        answer = self.http.post(proxy.url + PATH, content=chat())
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.json()["object"], "chat.completion")
        self.assertEqual(answer.headers["content-length"], str(len(answer.content)))
        with self.http.stream("POST", proxy.url + PATH, content=chat(stream=True)) as stream:
            self.assertEqual(stream.status_code, 200)
            self.assertTrue(stream.headers["content-type"].startswith("text/event-stream"))
            pieces = list(stream.iter_raw())
        self.assertGreater(len(pieces), 3)
        self.assertTrue(b"".join(pieces).rstrip().endswith(b"data: [DONE]"))
        self.assertEqual(self.http.post(proxy.url + PATH, content=chat(),
                                        headers={"authorization": "Bearer no"}).status_code, 401)
        metrics = self.http.get(proxy.url + "/metrics").text
        self.assertIn('gen_ai_client_token_usage_bucket{route="chat"', metrics)

    def test_first_byte_is_not_held_back(self):
        upstream = start_upstream(self, "--chunk-delay", "100", "--answer-tokens", "10")
        proxy = self.start(policy(upstream.url))
        begun = time.monotonic()
        with self.http.stream("POST", proxy.url + PATH, content=chat(stream=True)) as stream:
            pieces = stream.iter_raw()
            next(pieces)
            first = time.monotonic() - begun
            for _ in pieces:
                pass
        self.assertLess(first, (time.monotonic() - begun) / 2)

    def test_next_provider_takes_over(self):
        broken = start_upstream(self, "--fault", "status=500")
        sound = start_upstream(self)
        for first in (broken.url, f"http://127.0.0.1:{support.free_port()}"):
            proxy = self.start(policy(first, sound.url, retry=RETRY))
            for stream in (False, True):
                answer = self.http.post(proxy.url + PATH, content=chat(stream=stream))
                self.assertEqual(answer.status_code, 200, answer.text)

    def test_provider_that_breaks_a_stream(self):
        upstream = start_upstream(self, "--fault", "reset=3")
        proxy = self.start(policy(upstream.url))
        answer = self.http.post(proxy.url + PATH, content=chat(stream=True))
        self.assertIn('"error"', answer.text)

    def test_client_that_leaves_is_charged_and_its_upstream_is_ended(self):
        upstream = start_upstream(self, "--chunk-delay", "50", "--answer-tokens", "200")
        proxy = self.start(policy(upstream.url), "--state", str(self.folder / "state"))
        with self.http.stream("POST", proxy.url + PATH, content=chat(stream=True)) as stream:
            next(stream.iter_raw())
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            metrics = self.http.get(proxy.url + "/metrics").text
            if "gen_ai_client_token_usage_bucket" in metrics:
                break
            time.sleep(0.05)
        self.assertIn("gen_ai_client_token_usage_bucket", metrics)

    def test_policy_that_changes(self):
        upstream = start_upstream(self)
        document = policy(upstream.url)
        proxy = self.start(document)
        document["routes"][0]["match"]["path"] = "/other" + PATH
        self.policy_path.write_text(json.dumps(document))
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            status = self.http.post(proxy.url + "/other" + PATH, content=chat()).status_code
            if status == 200:
                break
            time.sleep(0.1)
        self.assertEqual(status, 200)

    def test_four_workers_hold_one_limit(self):
        upstream = start_upstream(self, "--answer-tokens", "20")
        proxy = self.start(policy(upstream.url, limits=TOKENS), "--workers", "4", "--state",
                           str(self.folder / "state"), "--ledger",
                           str(self.folder / "ledger.jsonl"))

        def ask(_):
            # A connection of its own each time, so that all workers take part.
            connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
            connection.request("POST", PATH, chat(max_tokens=20), HEADERS)
            answer = connection.getresponse()
            body = json.loads(answer.read())
            connection.close()
            return answer.status, body["usage"]["total_tokens"] if answer.status == 200 else 0

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(120)))
        self.assertEqual({status for status, _ in answers}, {200, 429})
        used = sum(tokens for _, tokens in answers)
        self.assertLessEqual(used, 2000)
        self.assertGreater(used, 1500)
        lines = []
        for _ in range(100):  # a line is written when the answer is out
            lines = [json.loads(line) for line in
                     (self.folder / "ledger.jsonl").read_text().split("\n") if line]
            if len(lines) >= 120:
                break
            time.sleep(0.05)
        self.assertEqual((len(lines), len({line["id"] for line in lines})), (120, 120))
        self.assertEqual(sum(line["usage"]["prompt"] + line["usage"]["completion"]
                             for line in lines if line["status"] == 200), used)


if __name__ == "__main__":
    unittest.main()
