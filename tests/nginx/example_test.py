"""example_test.py MODULE SOURCE: examples/nginx and the examples of the module's README, run as
they stand but for paths, ports and the addresses of the backends."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from support import JSON_HEADERS, Ask, Backend, chat_answer, eventually, unused_port


def files_of_readme(source: str, prefix: str = "") -> dict[str, str]:
    """Each code block that follows a line `FILE`: in the README; FILE without its prefix."""
    with open(os.path.join(source, "bindings", "nginx", "README.md"), encoding="utf-8") as file:
        text = file.read()
    blocks = re.findall(rf"`{prefix}(nginx\.conf|policy\.json)`:\n\n```\w*\n(.*?)```", text, re.S)
    assert {name for name, _ in blocks} == {"nginx.conf", "policy.json"}, (prefix, blocks)
    return {name: text.replace(prefix + "policy.json", "policy.json") for name, text in blocks}


def files_of_example(source: str) -> dict[str, str]:
    folder = os.path.join(source, "examples", "nginx")
    files = {}
    for name in ("nginx.conf", "policy.json"):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            files[name] = file.read()
    return files


def localize(files: dict[str, str], work: str, module: str, port: int, backend: str) -> None:
    config = files["nginx.conf"]
    config = config.replace("modules/ngx_http_weir_module.so", os.path.abspath(module))
    config = re.sub(r"(/run|/var/log/nginx|/var/log/weir|/var/lib/weir)/", work + "/", config)
    config = re.sub(r"server [a-z.]+:443;", "server 127.0.0.1:1;", config)
    config = re.sub(r"listen 8080", f"listen 127.0.0.1:{port}", config)
    config = re.sub(r"listen 127.0.0.1:8081", f"listen 127.0.0.1:{unused_port()}", config)
    if "pid " not in config:
        config = f"pid {work}/nginx.pid;\n" + config
    policy = re.sub(r'"url": "https?://[^"/]+', f'"url": "{backend}', files["policy.json"])
    for name, text in (("nginx.conf", config), ("policy.json", policy)):
        with open(os.path.join(work, name), "w", encoding="utf-8") as file:
            file.write(text)


def answer(arrival) -> None:
    """Of a provider to whom all texts mean the same."""
    body = chat_answer()
    if arrival.target.endswith("/embeddings"):
        body = json.dumps({"data": [{"index": 0, "embedding": [0.5] * 1536}]}).encode()
    arrival.answer(200, JSON_HEADERS, body)


def run(what: str, files: dict[str, str], module: str) -> None:
    work = tempfile.mkdtemp(prefix="weir-example-")
    os.chmod(work, 0o755)
    backend = Backend(answer)
    port = unused_port()
    command = ["nginx", "-c", f"{work}/nginx.conf", "-e", f"{work}/first.log"]
    environment = os.environ | {"AZURE_KEY": "a", "OPENAI_AUTHORIZATION": "Bearer b",
                                "PROVIDER_KEY": "Bearer c"}
    nginx = None
    try:
        localize(files, work, module, port, backend.url)
        subprocess.run(command + ["-t"], env=environment, check=True, timeout=30)
        nginx = subprocess.Popen(command + ["-g", "daemon off;"], env=environment)

        def asked(text: str = "Hello") -> Ask | None:
            body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
            try:
                return Ask(port, json.dumps(body).encode(), headers=JSON_HEADERS + [
                    ("authorization", "Bearer my-first-key")]).wait()
            except OSError:
                return None
        ask = eventually(asked, 10)
        consumers = json.loads(files["policy.json"])["consumers"]
        knows_key = "000000" not in json.dumps(consumers)
        wanted = 200 if knows_key else 401
        assert ask is not None and ask.status == wanted, (what, ask and (ask.status, ask.body))
        if "weir_call" in files["nginx.conf"]:
            found = asked("Good day").header("x-weir-cache")
            assert "hit; similarity=" in found, (what, found)
        else:
            statuses = [asked().status for _ in range(5)]
            assert not knows_key or 429 in statuses, (what, statuses)
        print(f"{what}: ok")
    finally:
        if nginx is not None:
            nginx.send_signal(signal.SIGTERM)
            nginx.wait(10)
        backend.close()
        shutil.rmtree(work, ignore_errors=True)


def main(module: str, source: str) -> int:
    run("examples/nginx", files_of_example(source), module)
    run("README", files_of_readme(source), module)
    run("README, with a cache", files_of_readme(source, "cache-"), module)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
