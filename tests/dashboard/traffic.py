"""A gateway whose page has something to show: consumers with limits, one of them refused; a backend
that is not there, and its open breaker; a cache with hits; and names made to harm a page."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "nginx"))
from support import PEPPER, eventually, key_hash, unused_port  # noqa: E402

HOSTILE = "<img src=x onerror=\"document.title='harmed'\">"
WAIT_S = 20


def policy(upstream: str) -> dict:
    names = {"team-red": "vk-red", "team-blue": "vk-blue", "team-green": "vk-green"}
    chat = {"pool": "chat", "limits": ["tokens", "spend"], "cache": "faq"}
    return {
        "weir": 1, "pepper": PEPPER,
        "models": {"gpt-4o": {"price": {"input": 2.5, "output": 10}}},
        "consumers": {name: {"keys": [key_hash(key)]} for name, key in names.items()},
        "backends": {
            "gone": {"url": f"http://127.0.0.1:{unused_port()}", "dialect": "openai",
                     "circuit_breaker": [{"name": "failing", "trip": "10m",
                                          "on": {"failures": ["connect"], "count": 2,
                                                 "interval": "1m"}}]},
            "there": {"url": upstream, "dialect": "openai", "credential": "provider"}},
        "credentials": {"provider": {"header": "authorization", "value": "Bearer provider"}},
        "pools": {"chat": {"members": [{"backend": "gone", "priority": 1},
                                       {"backend": "there", "priority": 2}],
                           "retry": {"attempts": 2, "on": ["connect"]}}},
        "limits": {"tokens": {"key": "consumer.id", "unit": "tokens", "amount": 600, "per": "60s",
                              "reserve": {"prompt": "exact", "output": "max_tokens"}},
                   "spend": {"key": "consumer.id", "unit": "usd", "amount": 5, "per": "month"}},
        "caches": {"faq": {"embedding": "lexical", "min_similarity": 0.6,
                           "partition": ["consumer.id"]}},
        "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, **chat}]}


def until(check):
    """What `check` answers once that is true, or at last."""
    return eventually(lambda: check() or None, WAIT_S)


class Traffic:
    def __init__(self, gateway: str, upstream: str):
        self.stack = contextlib.ExitStack()
        self.work = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-page-"))
        provider = self._start(upstream, "--key", "provider", "--port", "0",
                               "--answer-tokens", "60", "--chunk-delay", "5")
        path = os.path.join(self.work, "policy.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(policy(provider), file)
        self.url = self._start(gateway, "--policy", path, "--listen", "127.0.0.1:0")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def _start(self, *command: str) -> str:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

        def end() -> None:
            process.kill()
            process.wait()
            process.stdout.close()
        self.stack.callback(end)
        line = process.stdout.readline()
        assert line.startswith("listening on "), (command, line)
        return "http://127.0.0.1:" + line.strip().rsplit(":", 1)[1]

    def get(self, path: str, accept: str = "*/*") -> tuple[str, str, dict]:
        request = urllib.request.Request(self.url + path, headers={"accept": accept})
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return answer.read().decode(), answer.headers["content-type"], dict(answer.headers)

    def ask(self, key: str, text: str, **more) -> int:
        body = {"model": "gpt-4o", "max_tokens": 60,
                "messages": [{"role": "user", "content": text}], **more}
        request = urllib.request.Request(
            self.url + "/v1/chat/completions", json.dumps(body).encode(),
            {"content-type": "application/json", "authorization": f"Bearer {key}"})
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                answer.read()
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def run(self) -> None:
        """Red uses its tokens up; blue is given one answer twice; some are turned away."""
        stream = {"stream": True}
        statuses = [self.ask("vk-red", f"Tell me about lock number {n}.", **stream)
                    for n in range(12)]
        assert 200 in statuses and statuses[-1] == 429, statuses
        for question in ("How do I reset my password?", "How do I reset my password?",
                         "What does a weir do?", "Where is the lock keeper?"):
            assert self.ask("vk-blue", question) == 200, question
            time.sleep(0.3)
        assert self.ask("vk-green", "Hello?", model=HOSTILE) >= 400
        assert self.ask("no-such-key", "Hello?") == 401
