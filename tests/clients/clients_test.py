"""clients_test.py node|python|chaos|replays BIN_DIR WORK_DIR: a real client library against the
example gateway and simulated providers; with chaos, these are killed, throttled and broken
meanwhile; with replays, against what the library writes of kept answers. Exit 77: skipped, with the
reason in one line."""

import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
PEPPER = "clients"
KEYS = {"PTU_KEY": "ptu-secret", "PAYG_KEY": "Bearer payg-secret"}
INSTALL_TIMEOUT_S = 180


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def key_hash(key):
    return "sha256:" + hmac.new(PEPPER.encode(), key.encode(), hashlib.sha256).hexdigest()


def consumer(key, **attributes):
    return {"keys": [key_hash(key)], "attributes": attributes, "models": ["gpt-4o*"]}


def policy(ptu, payg):
    route = {"pool": "gpt-4o", "limits": ["tight"]}
    return {
        "weir": 1,
        "pepper": PEPPER,
        "consumers": {"open": consumer("vk-open"), "tight": consumer("vk-tight", tier="tight")},
        "credentials": {
            "ptu": {"header": "api-key", "value": {"env": "PTU_KEY"}},
            "payg": {"header": "authorization", "value": {"env": "PAYG_KEY"}},
        },
        "backends": {
            "ptu": {"url": f"http://{ptu}", "dialect": "azure-openai", "credential": "ptu",
                    "api_version": "2024-10-21"},
            "payg": {"url": f"http://{payg}", "dialect": "openai", "credential": "payg"},
        },
        "pools": {"gpt-4o": {"strategy": "weighted", "members": [
            {"backend": "ptu", "priority": 1}, {"backend": "payg", "priority": 2}],
            "retry": {"attempts": 2, "on": ["429", "connect"]}}},
        # One request a second for those in the tier, none for the others.
        "limits": {"tight": {"key": "consumer.tier", "unit": "requests", "amount": 60, "per": "1m",
                             "algorithm": "token_bucket", "burst": 1, "on_missing_key": "skip"}},
        "routes": [
            {"name": "openai", "match": {"path": "/v1/chat/completions"}, **route},
            {"name": "azure", "match": {"path": "/openai/deployments/{model}/chat/completions"},
             **route},
        ],
    }


class Server:
    """A program that prints "listening on HOST:PORT"."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **KEYS})
        self.address = None
        for line in self.process.stdout:
            if "listening on " in line:
                self.address = line.split("listening on ")[1].split()[0]
                break
        if self.address is None:
            sys.exit(f"{command[0]} did not start")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self):
        """Ends it as an operator would; a crash is a failure of the test."""
        self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return "did not stop"


def install(command, done, work):
    """Fetches the client library once; a mark with its specification says that it is there."""
    mark = os.path.join(work, "installed")
    if os.path.exists(mark) and open(mark, encoding="utf-8").read() == done:
        return
    for each in command:
        result = subprocess.run(each, cwd=work, capture_output=True, text=True, check=False,
                                timeout=INSTALL_TIMEOUT_S)
        if result.returncode != 0:
            lines = (result.stderr or result.stdout).strip().splitlines()
            skip(f"{each[0]} could not install the client library: {lines[-1] if lines else '?'}")
    with open(mark, "w", encoding="utf-8") as file:
        file.write(done)


def chaos_policy(addresses):
    on = {"status": ["429", "5xx"], "failures": ["connect", "reset"], "count": 1}
    return {
        "weir": 1,
        "pepper": PEPPER,
        "consumers": {"open": consumer("vk-open")},
        "credentials": {"payg": {"header": "authorization", "value": {"env": "PAYG_KEY"}}},
        "backends": {name: {"url": f"http://{address}", "dialect": "openai", "credential": "payg",
                            "model": "gpt-4o", "circuit_breaker": [{"on": on, "trip": "1s"}]}
                     for name, address in addresses.items()},
        "pools": {"gpt-4o": {
            "strategy": "least_busy", "members": [{"backend": name} for name in addresses],
            "fail_back_after": "0s",
            "retry": {"attempts": 3, "on": ["429", "5xx", "connect", "reset", "timeout"]}}},
        "routes": [{"name": "openai", "match": {"path": "/v1/chat/completions"},
                    "pool": "gpt-4o"}],
    }


def control(server, faults):
    request = urllib.request.Request(f"http://{server.address}/_control", method="POST",
                                     data=json.dumps({"faults": faults}).encode())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(request, timeout=10).read()


def trouble(servers, start):
    """Each backend in turn is throttled, broken, killed and started again."""
    for name in servers:
        time.sleep(0.5)
        for fault in ("throttle=1s", "status=500"):
            control(servers[name], [fault])
            time.sleep(1.0)
            control(servers[name], [])
            time.sleep(1.2)
        port = servers[name].address.rsplit(":", 1)[1]
        servers[name].process.kill()
        servers[name].process.wait()
        time.sleep(1.5)
        servers[name] = start(port)
        time.sleep(1.5)


def chaos(client, binaries, work):
    def start(port):
        return Server(os.path.join(binaries, "weir_upstream"), "--port", port, "--key",
                      "payg-secret")

    servers = {name: start("0") for name in "abc"}
    gateway = None
    try:
        path = os.path.join(work, "policy.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(chaos_policy({name: servers[name].address for name in servers}), file)
        gateway = Server(os.path.join(binaries, "weir_gateway"), "--policy", path, "--listen",
                         "127.0.0.1:0")
        asking = subprocess.Popen(client, stdin=subprocess.PIPE, cwd=work, env={
            **os.environ, "BASE": f"http://{gateway.address}", "CLIENT_ROOT": work,
            "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"})
        trouble(servers, start)
        asking.stdin.close()
        status = asking.wait(60)
    finally:
        ends = [server.stop() for server in [gateway, *servers.values()] if server is not None]
    if any(end != 0 for end in ends):
        print(f"FAILED: gateway and providers ended with {ends}")
        status = 1
    return status


def node_client(work):
    if shutil.which("node") is None or shutil.which("npm") is None:
        skip("the JavaScript client needs node and npm")
    package = os.path.join(HERE, "node", "package.json")
    shutil.copy(package, work)
    with open(package, encoding="utf-8") as file:
        install([["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts",
                  "--prefer-offline"]], file.read(), work)
    return ["node", os.path.join(HERE, "node", "client.mjs")]


def python_client(work):
    requirements = os.path.join(HERE, "python", "requirements.txt")
    python = os.path.join(work, "venv", "bin", "python")
    with open(requirements, encoding="utf-8") as file:
        install([[sys.executable, "-m", "venv", os.path.join(work, "venv")],
                 [python, "-m", "pip", "install", "-q", "--no-compile", "-r", requirements]],
                file.read(), work)
    return [python, "-B", os.path.join(HERE, "python", "client.py")]


def replays(client, binaries, work):
    written = subprocess.run([os.path.join(binaries, "weir_replays")], capture_output=True,
                             check=True, timeout=60).stdout
    return subprocess.run(client, input=written, check=False, timeout=120, cwd=work,
                          env={**os.environ, "CLIENT_ROOT": work}).returncode


def main(kind, binaries, work):
    os.makedirs(work, exist_ok=True)
    try:
        client = {"python": python_client}.get(kind, node_client)(work)
    except subprocess.TimeoutExpired:
        skip("the registry of client libraries does not answer")
    if kind == "chaos":
        return chaos([client[0], os.path.join(HERE, "node", "chaos.mjs")], binaries, work)
    if kind == "replays":
        return replays([client[0], os.path.join(HERE, "node", "replays.mjs")], binaries, work)
    upstream = os.path.join(binaries, "weir_upstream")
    servers = []
    try:
        servers.append(Server(upstream, "--port", "0", "--dialect", "azure-openai", "--key",
                              "ptu-secret"))
        servers.append(Server(upstream, "--port", "0", "--key", "payg-secret"))
        path = os.path.join(work, "policy.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(policy(servers[0].address, servers[1].address), file, indent=2)
        servers.append(Server(os.path.join(binaries, "weir_gateway"), "--policy", path, "--listen",
                              "127.0.0.1:0"))
        status = subprocess.run(client, check=False, timeout=120, cwd=work, env={
            **os.environ, "BASE": f"http://{servers[2].address}", "CLIENT_ROOT": work,
            "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}).returncode
    finally:
        ends = [server.stop() for server in reversed(servers)]
    if any(end != 0 for end in ends):
        print(f"FAILED: gateway and providers ended with {ends}")
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
