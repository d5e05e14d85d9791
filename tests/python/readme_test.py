"""What bindings/python/README.md shows works as it says."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

import support
from support import ANSWER, HEADERS, Process, chat, engine, free_port, policy

import weir

README = (support.ROOT / "bindings/python/README.md").read_text(encoding="utf-8")
FIRST, APPLICATION, CACHE, OWN_HOST = re.findall(r"```python\n(.*?)```", README, re.S)


class Readme(unittest.TestCase):
    def test_first_limited_request(self):
        printed = subprocess.run([sys.executable, "-c", FIRST], check=True, capture_output=True,
                                 text=True).stdout.strip()
        self.assertIn(f"prints `{printed}`", README)

    def test_cache(self):
        printed = subprocess.run([sys.executable, "-c", CACHE], check=True, capture_output=True,
                                 text=True).stdout.strip()
        self.assertIn(f"prints `{printed}`", README)

    def test_application(self):
        try:
            import uvicorn  # noqa: F401
        except ImportError:
            self.skipTest("needs uvicorn")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        (pathlib.Path(folder.name) / "app.py").write_text(APPLICATION)
        port = free_port()
        Process(self, [sys.executable, "-B", "-m", "uvicorn", "app:app", "--app-dir", folder.name,
                       "--port", str(port), "--log-level", "warning"], port)
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        request = urllib.request.Request(url, chat(), dict(HEADERS_TEXT), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            self.assertIn("Hello from http://model.internal", answer.read().decode())
        with self.assertRaises(urllib.error.HTTPError) as caught:
            for _ in range(50):
                urllib.request.urlopen(request, timeout=10).close()
        refusal = caught.exception
        self.addCleanup(refusal.close)
        self.assertEqual(refusal.code, 429)
        self.assertIn("retry-after", refusal.headers)
        self.assertIn("error", json.load(refusal))

    def test_host_of_its_own(self):
        sent = []

        def send(url, headers, body):
            sent.append((url, dict(headers), body))
            return 200, [(b"content-type", b"application/json")], ANSWER

        names = {"weir": weir, "engine": engine(policy("http://a.test")), "headers": HEADERS,
                 "body": chat(), "send": send}
        exec(compile(OWN_HOST, "README.md", "exec"), names)
        self.assertIs(names["action"].kind, weir.ActionKind.DONE)
        self.assertEqual(names["action"].body, ANSWER)
        self.assertEqual(sent[0][0], "http://a.test/v1/chat/completions")

    def test_every_name_is_one(self):
        for name in re.findall(r"`(?:weir\.)?([A-Z]\w+)(?:\.(\w+))?`", README):
            owner = getattr(weir, name[0], None) or getattr(weir.transaction.ActionKind, name[0],
                                                            None)
            with self.subTest(name):
                self.assertTrue(owner is not None or name[0] in os.environ or name[0] == "REPLY")
                if name[1]:
                    self.assertTrue(hasattr(owner, name[1]))


HEADERS_TEXT = [(name.decode(), value.decode()) for name, value in HEADERS]

if __name__ == "__main__":
    unittest.main()
