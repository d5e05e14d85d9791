"""What the tests of the nginx module share: a real nginx, backends that do what a test says, a
client that sees an answer as it comes."""

import hashlib
import hmac
import json
import os
import queue
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

PEPPER = "nginx tests"
PATIENCE_S = 5.0
SKIP = 77


def skip(why: str) -> None:
    print(f"skipped: {why}")
    sys.exit(SKIP)


def long_form() -> bool:
    return "WEIR_LONG" in os.environ


def key_hash(key: str) -> str:
    return "sha256:" + hmac.new(PEPPER.encode(), key.encode(), hashlib.sha256).hexdigest()


def expect(condition: bool, *what) -> None:
    if not condition:
        raise AssertionError(" ".join(str(each) for each in what))


def run_tests(functions: dict, names: list[str]) -> int:
    """Those of `functions` that are called test_..., or those of them that `names` has."""
    failed = 0
    tests = {name: value for name, value in functions.items() if name.startswith("test_")}
    for name, test in tests.items():
        if names and name not in names:
            continue
        begun = time.monotonic()
        try:
            test()
            print(f"{name}: ok ({time.monotonic() - begun:.1f} s)", flush=True)
        except Exception as error:  # the other tests still tell something
            failed += 1
            print(f"{name}: FAILED: {type(error).__name__}: {error}", flush=True)
    return 1 if failed else 0


def run_module_tests(functions: dict) -> None:
    """The program FILE MODULE [NAME...]: run_tests of a file whose tests load MODULE."""
    functions["MODULE"] = os.path.abspath(sys.argv[1])
    sys.exit(run_tests(functions, sys.argv[2:]))


def eventually(check, patience_s: float = PATIENCE_S):
    """Asks until the answer is not None."""
    until = time.monotonic() + patience_s
    while True:
        answer = check()
        if answer is not None or time.monotonic() > until:
            return answer
        time.sleep(0.002)


def read_head(stream) -> tuple[str, list[tuple[str, str]]] | None:
    """First line and headers of a message; None: the connection ended before."""
    first = stream.readline(65536)
    if not first.strip():
        return None
    headers = []
    while (line := stream.readline(65536)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name.strip().lower(), value.strip()))
    return first.decode("latin-1").strip(), headers


def find(headers: list[tuple[str, str]], name: str) -> str | None:
    return next((value for known, value in headers if known == name.lower()), None)


class Arrival:
    """A request at a backend, to be answered by the test."""

    def __init__(self, backend: "Backend", connection: socket.socket, first: str, headers, body):
        self.backend = backend
        self.method, self.target, _ = first.split(" ", 2)
        self.headers = headers
        self.body = body
        self.over = threading.Event()
        self._connection = connection
        self._chunked = False

    def head(self, status: int, headers: list[tuple[str, str]], length: int | None = None) -> None:
        self._chunked = length is None
        lines = [f"HTTP/1.1 {status} Status"] + [f"{name}: {value}" for name, value in headers]
        lines.append("transfer-encoding: chunked" if length is None else
                     f"content-length: {length}")
        self._connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def data(self, piece: bytes) -> None:
        if self._chunked and piece:
            piece = b"%x\r\n%s\r\n" % (len(piece), piece)
        self._connection.sendall(piece)

    def end(self) -> None:
        if self._chunked:
            self._connection.sendall(b"0\r\n\r\n")
        self.over.set()

    def answer(self, status: int = 200, headers=(), body: bytes = b"") -> None:
        self.head(status, list(headers), len(body))
        self.data(body)
        self.end()

    def gone(self) -> bool:
        """Whether the gateway has closed this connection."""
        try:
            return self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def break_off(self) -> None:
        linger = (1).to_bytes(4, sys.byteorder) + (0).to_bytes(4, sys.byteorder)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._connection.close()
        self.over.set()


class Backend:
    """Listens; each request goes to `handler`, or waits in `arrivals`."""

    def __init__(self, handler=None, tls: ssl.SSLContext | None = None):
        self.arrivals: queue.Queue[Arrival] = queue.Queue()
        self.count = 0
        self._handler = handler or self.arrivals.put
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._tls = tls
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            stream = connection.makefile("rb")
            while (head := read_head(stream)) is not None:
                size = int(find(head[1], "content-length") or 0)
                arrival = Arrival(self, connection, *head, stream.read(size))
                self.count += 1
                self._handler(arrival)
                arrival.over.wait()
        except OSError:
            pass
        finally:
            connection.close()

    def take(self, patience_s: float = PATIENCE_S) -> Arrival | None:
        try:
            return self.arrivals.get(timeout=patience_s)
        except queue.Empty:
            return None

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Ask:
    """One request to nginx; the answer is read as it comes, in a thread."""

    def __init__(self, port: int, body: bytes = b"", method: str = "POST",
                 target: str = "/v1/chat/completions", headers=(), reads_after_s: float = 0.0):
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.complete = False  # ended as its framing says
        self.over = threading.Event()
        self.begun = time.monotonic()
        self.times: list[float] = []
        self._reads_after_s = reads_after_s
        self._connection = socket.create_connection(("127.0.0.1", port))
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = [f"{method} {target} HTTP/1.1", "Host: weir.test", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        self._connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        self._thread = threading.Thread(target=self._read, args=(method,), daemon=True)
        self._thread.start()

    def _take(self, piece: bytes) -> bool:
        self.body += piece
        self.times.append(time.monotonic())
        return bool(piece)

    def _read(self, method: str) -> None:
        time.sleep(self._reads_after_s)
        try:
            with self._connection.makefile("rb") as stream:
                self._read_answer(stream, method)
        except OSError:
            pass
        finally:
            self._connection.close()  # nginx lingers, and logs, until its client has closed
            self.over.set()

    def _read_answer(self, stream, method: str) -> None:
        head = read_head(stream)
        if head is None:
            return
        self.headers = head[1]
        self.status = int(head[0].split()[1])
        length = find(self.headers, "content-length")
        if method == "HEAD" or self.status in (204, 304):
            self.complete = True
        elif find(self.headers, "transfer-encoding") == "chunked":
            self._read_chunks(stream)
        elif length is None:
            while self._take(stream.read1(65536)):
                pass
            self.complete = True
        else:
            while len(self.body) < int(length) and self._take(stream.read1(65536)):
                pass
            self.complete = len(self.body) == int(length)

    def _read_chunks(self, stream) -> None:
        while (line := stream.readline()).strip():
            size = int(line, 16)
            if size == 0:
                self.complete = stream.readline() == b"\r\n"
                return
            piece = stream.read(size)
            self._take(piece)
            if len(piece) != size or stream.readline() != b"\r\n":
                return

    def wait(self, patience_s: float = PATIENCE_S) -> "Ask":
        self.over.wait(patience_s)
        return self

    def header(self, name: str) -> str | None:
        return find(self.headers, name)

    def hang_up(self) -> None:
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join(PATIENCE_S)
        self._connection.close()


CONFIG = """
load_module {module};
daemon off;
pid {work}/nginx.pid;
error_log {work}/error.log info;
worker_processes {workers};
events {{ worker_connections 2048; }}
http {{
  client_body_temp_path {work}/body;
  proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi;
  scgi_temp_path {work}/scgi;
  log_format weir escape=none '{{"id":"$http_x_ask","status":$status,"consumer":"$weir_consumer",'
    '"model":"$weir_model","route":"$weir_route","backend":"$weir_backend",'
    '"tokens":"$weir_tokens","decision":"$weir_decision","reason":"$weir_reason",'
    '"upstreams":"$upstream_addr","statuses":"$upstream_status","explain":$weir_explain}}';
  weir_policy {work}/policy.json;
  weir_state {work}/state 32m;
  {http}
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 64m;
    location / {{
      weir on;
      access_log {work}/access.log weir;
      {location}
    }}
    location = /metrics {{ weir_metrics; access_log off; }}
    location = /status {{ weir_status; access_log off; }}
    {server}
  }}
}}
"""


class Nginx:
    """nginx with the module under test, in a directory of its own."""

    def __init__(self, module: str, policy, secrets=None, **config):
        self.module = module
        self.secrets = dict(secrets or {})
        self.work = tempfile.mkdtemp(prefix="weir-nginx-")
        os.chmod(self.work, 0o755)
        self.port = unused_port()
        self.config = {"workers": 2, "http": "", "server": "", "location": ""} | config
        self.write_policy(policy)
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "Nginx":
        self.start()
        return self

    def __exit__(self, kind, value, trace) -> None:
        self.close()

    def close(self) -> None:
        self.stop()
        if "WEIR_VERBOSE" in os.environ:
            sys.stderr.write(self.errors())
        shutil.rmtree(self.work, ignore_errors=True)

    def path(self, name: str) -> str:
        return os.path.join(self.work, name)

    def write_policy(self, policy) -> None:
        with open(self.path("policy.json"), "w", encoding="utf-8") as file:
            file.write(policy if isinstance(policy, str) else json.dumps(policy, indent=1))

    def write_config(self) -> None:
        with open(self.path("nginx.conf"), "w", encoding="utf-8") as file:
            file.write(CONFIG.format(module=self.module, work=self.work, port=self.port,
                                     **self.config))

    def command(self) -> list[str]:
        return ["nginx", "-c", self.path("nginx.conf"), "-e", self.path("error.log"), "-p",
                self.work]

    def environment(self) -> dict[str, str]:
        return os.environ | self.secrets

    def check(self) -> subprocess.CompletedProcess:
        self.write_config()
        return subprocess.run(self.command() + ["-t"], capture_output=True, text=True,
                              env=self.environment(), timeout=30, check=False)

    def start(self) -> None:
        self.write_config()
        self.process = subprocess.Popen(self.command(), env=self.environment(),
                                        stderr=subprocess.DEVNULL)
        if not eventually(lambda: True if self._accepts() else None, 10):
            raise AssertionError("nginx did not start: " + self.errors())

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except OSError:
            return False

    def workers(self) -> list[int]:
        out = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
                             capture_output=True, text=True, check=False).stdout
        return [int(line.split()[0]) for line in out.splitlines() if "shutting" not in line]

    def reload(self) -> None:
        """Returns once the new workers serve."""
        before = set(self.workers())
        self.process.send_signal(signal.SIGHUP)
        count = self.config["workers"]
        if not eventually(lambda: True if len(set(self.workers()) - before) >= count else None, 20):
            raise AssertionError("no new workers: " + self.errors()[-2000:])

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def errors(self) -> str:
        try:
            with open(self.path("error.log"), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def log_of(self, ask_id: str, patience_s: float = PATIENCE_S):
        """The line of the access log of the request with this x-ask header."""
        return eventually(lambda: self._log_of(ask_id), patience_s)

    def _log_of(self, ask_id: str):
        try:
            with open(self.path("access.log"), encoding="utf-8") as file:
                lines = [line for line in file if line.startswith(f'{{"id":"{ask_id}",')]
        except OSError:
            return None
        return json.loads(lines[-1]) if lines and lines[-1].endswith("\n") else None

    def ask(self, body=None, key: str | None = "vk-red", **more) -> Ask:
        """A chat request, as an OpenAI client sends it."""
        message = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hello."}]}
        body = json.dumps(body or message).encode() if not isinstance(body, bytes) else body
        headers = [("content-type", "application/json")] + list(more.pop("headers", ()))
        if key is not None:
            headers.append(("authorization", f"Bearer {key}"))
        return Ask(self.port, body, headers=headers, **more)

    def get(self, target: str, headers: list[tuple[str, str]] | None = None) -> Ask:
        return Ask(self.port, method="GET", target=target, headers=headers or []).wait()


def chat_answer(text: str = "Hello!", prompt: int = 10, completion: int = 15) -> bytes:
    return json.dumps({
        "id": "c1", "object": "chat.completion", "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text},
                     "finish_reason": "stop"}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion,
                  "total_tokens": prompt + completion}}).encode()


def chat_chunk(text: str | None, finish: str | None = None) -> bytes:
    delta = {} if text is None else {"content": text}
    chunk = {"id": "c1", "object": "chat.completion.chunk", "model": "gpt-4o",
             "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


JSON_HEADERS = [("content-type", "application/json")]
STREAM_HEADERS = [("content-type", "text/event-stream")]


def policy(backends: dict[str, str], limits: dict | None = None, **more) -> dict:
    """Backends in the order of their priority, each tried after the one before."""
    retry = {"attempts": max(2, len(backends)),
             "on": ["429", "5xx", "connect", "reset", "timeout"]}
    return {
        "weir": 1, "pepper": PEPPER,
        "consumers": {"red": {"keys": [key_hash("vk-red")]}},
        "backends": {name: {"url": url, "dialect": "openai"} | more.get("backend", {})
                     for name, url in backends.items()},
        "pools": {"chat": {"strategy": "weighted", "retry": retry,
                           "members": [{"backend": name, "priority": i + 1}
                                       for i, name in enumerate(backends)]}},
        "limits": limits or {},
        "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "chat",
                    "limits": list(limits or {})}],
    }
