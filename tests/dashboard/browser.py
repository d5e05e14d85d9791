"""A headless Chromium, driven by the DevTools protocol over its pipe."""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

PATIENCE_S = 60


def find() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One page. `faults` are its uncaught exceptions, its console's errors and what its policy
    blocked."""

    def __init__(self, program: str):
        self.faults: list[str] = []
        self.profile = tempfile.mkdtemp(prefix="weir-chromium-")
        to_read, self.to = os.pipe()
        self.come, to_write = os.pipe()

        def name_pipes() -> None:  # Chromium expects them as 3 and 4
            come, to = os.dup(to_read), os.dup(to_write)
            high = [os.dup2(come, 103), os.dup2(to, 104)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)
        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--disable-extensions", f"--user-data-dir={self.profile}", "--remote-debugging-pipe"],
            preexec_fn=name_pipes, close_fds=False, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        os.set_blocking(self.come, False)
        self.number = 0
        self.unread = b""
        self.session = None
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.to)
        os.close(self.come)
        shutil.rmtree(self.profile, ignore_errors=True)

    def _message(self, until: float) -> dict:
        while b"\0" not in self.unread:
            if time.monotonic() > until:
                raise TimeoutError("chromium does not answer")
            if self.process.poll() is not None:
                raise RuntimeError(f"chromium ended with {self.process.returncode}")
            try:
                self.unread += os.read(self.come, 1 << 16)
            except BlockingIOError:
                time.sleep(0.01)
        message, self.unread = self.unread.split(b"\0", 1)
        return json.loads(message)

    def _note(self, message: dict) -> None:
        method, told = message.get("method"), message.get("params")
        if method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.faults.append(details.get("exception", details).get("description", str(details)))
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.faults.append(told["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and told["type"] == "error":
            self.faults.append(str(told["args"]))

    def call(self, method: str, **params) -> dict:
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE_S
        while True:
            answer = self._message(until)
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer)
                return answer["result"]
            self._note(answer)

    def ask(self, expression: str):
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode=code, **({"text": "\r"} if key == "Enter" else {}))

    def look(self, scheme: str, width: int) -> None:
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=False)

    def screenshot(self, path: str) -> None:
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))
