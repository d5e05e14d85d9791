"""What several tests need: policies, processes, and a way to say that something is missing."""

import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import unittest

import weir

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PEPPER = "python"
LONG = bool(os.environ.get("WEIR_LONG"))
START_TIMEOUT_S = 20


def key_hash(key):
    return "sha256:" + hmac.new(PEPPER.encode(), key.encode(), hashlib.sha256).hexdigest()


def policy(*urls, limits=None, **pool):
    """A chat route over these backends, in order of priority; "auth": any bearer of vk-1 … vk-9."""
    names = [f"b{index}" for index in range(len(urls))]
    return {
        "weir": 1,
        "pepper": PEPPER,
        "consumers": {"team": {"keys": [key_hash(f"vk-{index}") for index in range(1, 10)]}},
        "credentials": {"payg": {"header": "authorization", "value": {"env": "PAYG_KEY"}}},
        "backends": {name: {"url": url, "dialect": "openai", "credential": "payg",
                            "timeout": "10s"} for name, url in zip(names, urls)},
        "pools": {"p": {"members": [{"backend": name, "priority": index + 1}
                                    for index, name in enumerate(names)], **pool}},
        "limits": limits or {},
        "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "p",
                    "limits": list(limits or {}), "auth": "key"}],
    }


def engine(document, **options):
    made = weir.Policy(document)
    made.resolve_secrets({"PAYG_KEY": "Bearer payg-secret"})
    return weir.Engine(made, **options)


def chat(content="Say hello.", **fields):
    return json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": content}],
                       **fields}).encode()


HEADERS = [(b"authorization", b"Bearer vk-1"), (b"content-type", b"application/json")]
ANSWER = json.dumps({
    "id": "c1", "object": "chat.completion", "model": "gpt-4o",
    "choices": [{"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "Hello."}}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}}).encode()


def find_program(variable, why):
    """The program that an environment variable names; without it the test is skipped."""
    path = os.environ.get(variable, "")
    if not path or not os.access(path, os.X_OK):
        raise unittest.SkipTest(f"{why} ({variable} names no program)")
    return path


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_port(port, process):
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"{process.args} ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"{process.args} does not listen")


class Process:
    """A program that is ended with the test, and with all that it started."""

    def __init__(self, test, arguments, port, environment=None):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(arguments, start_new_session=True,
                                        env={**os.environ, **(environment or {})})
        test.addCleanup(self.end)
        wait_for_port(port, self.process)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def start_upstream(test, *options):
    program = find_program("WEIR_UPSTREAM", "needs the simulated provider")
    port = free_port()
    return Process(test, [program, "--key", "payg-secret", "--port", str(port), "--chunk-delay",
                          "1", *options], port)


def start_proxy(test, policy_path, *options):
    port = free_port()
    return Process(test, [sys.executable, "-B", str(ROOT / "examples/python/proxy.py"), "--policy",
                          str(policy_path), "--port", str(port), *options], port,
                   {"PAYG_KEY": "Bearer payg-secret"})

