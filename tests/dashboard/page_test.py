"""page_test.py PAGE GATEWAY UPSTREAM [NGINX_MODULE]: the live page in a real browser, with real
requests behind it, served by the gateway and by nginx.

It shows the gateway's own figures; makes text of hostile names; runs without a fault under its own
content security policy; can be used by keyboard; is legible in light and dark, wide and narrow.
With WEIR_SCREENSHOTS=FOLDER its pictures stay there, to be looked at.
"""

import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import browser
from traffic import HOSTILE, Traffic, until
from support import Backend, Nginx, chat_answer, skip  # of tests/nginx
from support import policy as nginx_policy

LEAST_CONTRAST = 4.5
USED = "gen_ai_client_token_usage_sum"

# Of each text, against the nearest background behind it: WCAG 2's contrast ratio.
CONTRAST = r"""(() => {
  const parts = (css) => (css.match(/[\d.]+/g) ?? []).map(Number);
  const light = (rgb) => rgb.slice(0, 3).map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const rgb = parts(getComputedStyle(e).backgroundColor);
      if (rgb.length === 3 || rgb[3] === 1) return rgb;
    }
    return [255, 255, 255];
  };
  const least = [99, ''];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || e.closest('script, noscript')) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(parts(e.closest('svg') ? style.fill : style.color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < least[0]) least.splice(0, 2, ratio, walker.currentNode.data.trim());
  }
  return least;
})()"""


def check_hashes(page: str) -> None:
    """The page lets run only what stands in it."""
    policy = re.search(r'Security-Policy" content="([^"]*)"', page)[1]
    assert "unsafe" not in policy and "default-src 'none'" in policy, policy
    for tag in ("style", "script"):
        body = re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy, \
            f"the page's {tag} has changed: {tag}-src 'sha256-{digest}'"
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", page)
    assert not re.search(r"(src|href)=\"(?!data:,)", page), "the page loads something"


def check_events(traffic: Traffic) -> None:
    """An event is a line of JSON, and a second later comes the next."""
    process = subprocess.run(["curl", "-sN", "--max-time", "2.5", traffic.url + "/weir/events"],
                             capture_output=True, text=True, check=False)
    events = [json.loads(line[6:]) for line in process.stdout.splitlines()
              if line.startswith("data: ")]
    assert len(events) in (2, 3), process.stdout
    assert 700 <= events[1]["time_ms"] - events[0]["time_ms"] <= 2000
    assert events[0]["status"]["version"] and events[0]["refused"] == 0


def rows(page: browser.Browser, table: str) -> dict[str, list[str]]:
    made = page.ask(f"[...document.querySelectorAll('#{table} tbody tr')]"
                    ".map((row) => [...row.cells].map((cell) => cell.innerText))")
    return {row[0]: row[1:] for row in made}


def check_figures(page: browser.Browser, traffic: Traffic) -> None:
    series = re.findall(r'^(\w+)\{(.*)\} (\S+)$', traffic.get("/metrics")[0], re.MULTILINE)

    def tokens(consumer: str | None) -> str:
        label = f'consumer="{consumer}"' if consumer else ""
        used = sum(int(value) for name, labels, value in series if name == USED and label in labels)
        return f"{used:,}"
    page_rows = until(lambda: (found := rows(page, "consumers")).get("team-blue", [""] * 2)[1]
                           == tokens("team-blue") and found)
    assert page_rows, rows(page, "consumers")
    red = page_rows["team-red"]
    assert red[1:3] == [tokens("team-red"), "600"], red
    assert "600 tokens in 60 s" in red[0] and "refused" in red[0], red
    assert "refused" not in page_rows["team-blue"][0]

    def tiles() -> str:
        return page.ask("document.querySelector('#tiles').innerText")
    assert until(lambda: f"\n{tokens(None)} in all\n" in tiles() and "5.9 %" in tiles()), tiles()

    backends = rows(page, "backends")
    assert "open" in backends["gone"][0] and "a probe in" in backends["gone"][0], backends
    assert "rule failing after connect" in backends["gone"][1], backends
    assert "closed" in backends["there"][0] and backends["there"][1] == "never tripped", backends
    assert "gone" in page.ask("document.querySelector('#changes').textContent")

    assert rows(page, "cache")["hit"] == ["exact", "1", "1"], rows(page, "cache")
    latency = rows(page, "latency")
    assert float(latency["First token (streams)"][2].split()[0]) > 0, latency

    refusals = page.ask("[...document.querySelectorAll('#refusals li')].map((e) => e.innerText)")
    assert refusals[0].startswith("401 the key is missing or unknown"), refusals
    assert HOSTILE in refusals[1], refusals
    assert any("limit tokens refuses: " in told and "room in" in told for told in refusals)
    assert page.ask("document.title") == "weir"
    assert page.ask("document.querySelectorAll('img, script').length") == 1


def check_keyboard(page: browser.Browser) -> None:
    """Tab reaches everything that can be used, in the order of the page, and it shows."""
    reached = []
    for _ in range(40):
        page.press("Tab", 9)
        where = page.ask("""(() => {
            const e = document.activeElement;
            if (e === document.body) return null;
            return [e.id || e.tagName + ' ' + (e.getAttribute('aria-label') ?? e.innerText ?? ''),
                    getComputedStyle(e).outlineStyle, e.matches('section *')];
        })()""")
        if where is None or where[0] in (r[0] for r in reached[:1]):
            break
        reached.append(where)
    names = [name for name, _, _ in reached]
    assert names[:2] == ["window", "pause"], names
    assert sum(name.startswith("SUMMARY") for name in names) == 3, names
    assert all(outline != "none" for _, outline, _ in reached), reached
    page.ask("document.querySelector('#pause').focus()")
    page.press("Enter", 13)
    assert page.ask("document.querySelector('#pause').ariaPressed") == "true"
    assert page.ask("document.querySelector('#connection').textContent") == "Paused"
    page.press("Enter", 13)
    page.ask("document.querySelector('summary').focus()")
    page.press("Enter", 13)
    assert page.ask("document.querySelector('details').open")
    assert until(lambda: page.ask("document.querySelectorAll('#tokens-table tbody tr').length"))


def check_looks(page: browser.Browser) -> None:
    for scheme in ("light", "dark"):
        for width in (1280, 390):
            page.look(scheme, width)
            page.ask("new Promise((done) => setTimeout(done, 300))")
            ratio, text = page.ask(CONTRAST)
            assert ratio >= LEAST_CONTRAST, (scheme, width, ratio, text)
            wide = page.ask("document.documentElement.scrollWidth")
            assert wide <= width, f"the page scrolls sideways: {wide} of {width}"
            if folder := os.environ.get("WEIR_SCREENSHOTS"):
                page.screenshot(os.path.join(folder, f"{scheme}_{width}.png"))


def check_nginx(page: browser.Browser, page_path: str, module: str) -> None:
    backend = Backend(lambda arrival: arrival.answer(
        200, [("content-type", "application/json")], chat_answer()))
    server = """location = /weir { alias weir.html; default_type text/html; }
        location = /weir/events { weir_events; }"""
    with Nginx(module, nginx_policy({"east": backend.url}), server=server) as nginx:
        shutil.copy(page_path, nginx.path("weir.html"))
        nginx.ask().wait()
        page.call("Page.navigate", url=f"http://127.0.0.1:{nginx.port}/weir")
        assert until(lambda: rows(page, "consumers").get("red", [""])[-1] == "25"), \
            rows(page, "consumers")
        assert "closed" in rows(page, "backends")["east"][0]
        told = page.ask("document.querySelector('#refusals-text').textContent")
        assert told == "None so far.", told
        nginx.ask(key="nobody").wait()
        assert until(lambda: page.ask("document.querySelectorAll('#refusals li').length") == 1)
        refusal = page.ask("document.querySelector('#refusals').textContent")
        assert "401" in refusal, refusal
        before = page.ask("document.querySelector('#updated').textContent")
        assert until(lambda: page.ask("document.querySelector('#updated').textContent") != before)
    backend.close()


def main(page_path: str, gateway: str, upstream: str, module: str = "") -> int:
    check_hashes(pathlib.Path(page_path).read_text(encoding="utf-8"))
    program = browser.find()
    if program is None:
        skip("chromium is not installed: the live page is not looked at")
    with Traffic(gateway, upstream) as traffic, browser.Browser(program) as page:
        text, content_type, headers = traffic.get("/weir")
        assert text == pathlib.Path(page_path).read_text(encoding="utf-8")
        assert content_type.startswith("text/html"), content_type
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], headers
        check_events(traffic)
        page.look("light", 1280)
        page.call("Page.navigate", url=traffic.url + "/weir")
        live = "document.querySelector('#connection')?.textContent === '● Live'"
        assert until(lambda: page.ask(live)), "the page gets no events"
        traffic.run()
        check_figures(page, traffic)
        check_keyboard(page)
        check_looks(page)
        if module:
            check_nginx(page, page_path, module)
        assert not page.faults, page.faults
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
