"""example_test.py MODULE SOURCE: examples/nginx and the example of the module's README, run as they
stand but for paths, ports and the addresses of the backends."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from support import JSON_HEADERS, Ask, Backend, chat_answer, eventually, unused_port


def files_of_readme(source: str) -> dict[str, str]:
    """Each code block that follows a line `FILE`: in the README."""
    with open(os.path.join(source, "bindings", "nginx", "README.md"), encoding="utf-8") as file:
        text = file.read()
    return dict(re.findall(r"`(nginx\.conf|policy\.json)`:\n\n```\w*\n(.*?)```", text, re.S))


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
    config = re.sub(r"listen 8080", f"listen 127.0.0.1:{port}", config)
    config = re.sub(r"listen 127.0.0.1:8081", f"listen 127.0.0.1:{unused_port()}", config)
    if "pid " not in config:
        config = f"pid {work}/nginx.pid;\n" + config
    policy = re.sub(r'"url": "https?://[^"/]+', f'"url": "{backend}', files["policy.json"])
    for name, text in (("nginx.conf", config), ("policy.json", policy)):
        with open(os.path.join(work, name), "w", encoding="utf-8") as file:
            file.write(text)


def run(what: str, files: dict[str, str], module: str) -> None:
    work = tempfile.mkdtemp(prefix="weir-example-")
    os.chmod(work, 0o755)
    backend = Backend(lambda arrival: arrival.answer(200, JSON_HEADERS, chat_answer()))
    port = unused_port()
    command = ["nginx", "-c", f"{work}/nginx.conf", "-e", f"{work}/first.log"]
    environment = os.environ | {"AZURE_KEY": "a", "OPENAI_AUTHORIZATION": "Bearer b",
                                "PROVIDER_KEY": "Bearer c"}
    nginx = None
    try:
        localize(files, work, module, port, backend.url)
        subprocess.run(command + ["-t"], env=environment, check=True, timeout=30)
        nginx = subprocess.Popen(command + ["-g", "daemon off;"], env=environment)

        def asked() -> Ask | None:
            try:
                return Ask(port, b'{"model":"gpt-4o","messages":[]}', headers=JSON_HEADERS + [
                    ("authorization", "Bearer my-first-key")]).wait()
            except OSError:
                return None
        ask = eventually(asked, 10)
        consumers = json.loads(files["policy.json"])["consumers"]
        knows_key = "000000" not in json.dumps(consumers)
        wanted = 200 if knows_key else 401
        assert ask is not None and ask.status == wanted, (what, ask and (ask.status, ask.body))
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
    readme = files_of_readme(source)
    assert set(readme) == {"nginx.conf", "policy.json"}, sorted(readme)
    run("README", readme, module)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
