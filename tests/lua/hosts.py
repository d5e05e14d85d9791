"""What the tests of real hosts share: simulated providers, a host's process, requests."""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples" / "lua"
SECRETS = {"PTU_AUTHORIZATION": "Bearer ptu-secret", "PAYG_AUTHORIZATION": "Bearer payg-secret"}


def skip(why: str) -> None:
    print(f"skipped: {why}")
    sys.exit(77)


def need(condition: object, why: str) -> None:
    if not condition:
        skip(why)


def check(fact: bool, what: str) -> None:
    if not fact:
        raise AssertionError(what)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment() -> dict[str, str]:
    return {**os.environ, **SECRETS}


def await_port(port: int, process: subprocess.Popen | None = None) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            if process is not None and process.poll() is not None:
                break
            time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


class Provider:
    """weir_upstream, which answers as OpenAI does, with faults on demand."""

    def __init__(self, key: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self.process = subprocess.Popen(
            [os.environ["WEIR_UPSTREAM"], "--port", str(self.port), "--key", key,
             "--answer-tokens", "20", "--chunk-delay", "1"], stdout=subprocess.DEVNULL)
        await_port(self.port, self.process)

    def control(self, **what: object) -> None:
        request(self.port, "POST", "/_control", what)

    def stats(self) -> dict:
        return json.loads(request(self.port, "GET", "/_stats").body)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read().decode()

    def __repr__(self) -> str:
        return f"{self.status} {dict(self.headers)} {self.body[:400]}"


def request(port: int, method: str, target: str, body: object = None,
            headers: dict[str, str] | None = None) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, target, text, {"content-type": "application/json",
                                                  **(headers or {})})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def chat(port: int, key: str = "sk-red", stream: bool = False, max_tokens: int = 30,
         **headers: str) -> Answer:
    body = {"model": "gpt-4o", "max_tokens": max_tokens, "stream": stream,
            "messages": [{"role": "user", "content": "Tell me about gates."}]}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if key:
        given["authorization"] = f"Bearer {key}"
    return request(port, "POST", "/v1/chat/completions", body, given)


class Host:
    """A proxy that runs one of the examples in a folder of its own, and two providers."""

    def __init__(self, folder: pathlib.Path, name: str, config: str, port: int) -> None:
        self.folder = folder
        self.ptu, self.payg = Provider("ptu-secret"), Provider("payg-secret")
        self.port = free_port()
        for file in [*(EXAMPLES / name).iterdir(), EXAMPLES / "policy.json"]:
            shutil.copy(file, folder)
        text = (folder / config).read_text()
        for old, new in ((port, self.port), (9101, self.ptu.port), (9102, self.payg.port)):
            check(re.search(rf":{old}\b", text) is not None, f"the example speaks of port {old}")
            text = re.sub(rf":{old}\b", f":{new}", text)
        (folder / config).write_text(text)
        self.process: subprocess.Popen | None = None

    def start(self, command: list[str], log: str) -> None:
        with (self.folder / log).open("w") as output:
            self.process = subprocess.Popen(command, cwd=self.folder, env=environment(),
                                            stdout=output, stderr=output)
        await_port(self.port, self.process)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
        self.ptu.stop()
        self.payg.stop()


def check_ledger(host: Host, log: str, mark: str) -> None:
    """A line of each exchange, once: as many as the log tells of by lines with this mark."""
    for _ in range(40):
        lines = (host.folder / "ledger.jsonl").read_text().split("\n")
        kept = [json.loads(line)["id"] for line in lines if line]
        told = (host.folder / log).read_text().count(mark)
        if len(kept) == told:
            break
        time.sleep(0.05)
    check(len(kept) == told > 0, f"{len(kept)} lines of {told} exchanges")
    check(len(set(kept)) == len(kept), "an exchange has two lines")


def run(test: object) -> None:
    """Runs it in a folder of its own; says what stands in that folder's logs when it fails."""
    import tempfile
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        try:
            test(folder)  # type: ignore[operator]
        except BaseException:
            for log in folder.glob("*.log"):
                sys.stderr.write(f"--- {log.name}\n{log.read_text()[-6000:]}\n")
            raise
