"""openai_test.py MODULE SOURCE BINARIES WORK: OpenAI's own JavaScript client, unmodified, through
nginx: the client, its policy and its providers are those of tests/clients. Exit 77: skipped."""

import os
import subprocess
import sys

from support import Nginx, skip


def main(module: str, source: str, binaries: str, work: str) -> int:
    sys.path.insert(0, os.path.join(source, "tests", "clients"))
    import clients_test  # pylint: disable=import-outside-toplevel
    upstream = os.path.join(binaries, "weir_upstream")
    if not os.path.exists(upstream):
        skip("the simulated provider is not built")
    os.makedirs(work, exist_ok=True)
    try:
        client = clients_test.node_client(work)
    except subprocess.TimeoutExpired:
        skip("the registry of client libraries does not answer")
    servers = []
    try:
        servers.append(clients_test.Server(upstream, "--port", "0", "--dialect", "azure-openai",
                                           "--key", "ptu-secret"))
        servers.append(clients_test.Server(upstream, "--port", "0", "--key", "payg-secret"))
        policy = clients_test.policy(servers[0].address, servers[1].address)
        with Nginx(module, policy, clients_test.KEYS, workers=2) as nginx:
            return subprocess.run(client, check=False, timeout=120, cwd=work, env={
                **os.environ, "BASE": f"http://127.0.0.1:{nginx.port}", "CLIENT_ROOT": work,
                "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}).returncode
    finally:
        for server in servers:
            server.stop()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
