"""module_test.py MODULE [NAME...]: what the module does with one nginx of several workers: limits,
retries, streams, broken answers, waits, clients that leave, large bodies, errors in its files."""

import json
import os
import ssl
import subprocess
import tempfile
import time

from support import (JSON_HEADERS, STREAM_HEADERS, Ask, Backend, Nginx, chat_answer, chat_chunk,
                     eventually, expect, find, policy, run_module_tests, unused_port)

MODULE = ""


def answering(arrival) -> None:
    arrival.answer(200, JSON_HEADERS, chat_answer())


def requests_limit(amount: int, **more) -> dict:
    limit = {"key": "consumer.id", "unit": "requests", "amount": amount, "per": "1h"}
    return {"calls": limit | more}


def test_limit_holds_across_workers() -> None:
    backend = Backend(answering)
    with Nginx(MODULE, policy({"east": backend.url}, requests_limit(20)), workers=4) as nginx:
        asks = [nginx.ask() for _ in range(60)]
        statuses = [ask.wait().status for ask in asks]
        expect(statuses.count(200) == 20 and statuses.count(429) == 40, statuses)
        refused = next(ask for ask in asks if ask.status == 429)
        expect(refused.header("retry-after") is not None, refused.headers)
        expect(json.loads(refused.body)["error"]["message"], refused.body)
        expect(backend.count == 20, backend.count)


def test_variables_and_pages() -> None:
    backend = Backend(answering)
    with Nginx(MODULE, policy({"east": backend.url}, requests_limit(1))) as nginx:
        nginx.ask(headers=[("x-ask", "v1")]).wait()
        line = nginx.log_of("v1")
        wanted = {"status": 200, "consumer": "red", "model": "gpt-4o", "route": "chat",
                  "backend": "east", "tokens": "25", "decision": "answered", "reason": "",
                  "upstreams": backend.url.removeprefix("http://"), "statuses": "200"}
        expect(wanted.items() <= line.items(), line)
        expect(line["explain"]["usage"]["prompt"] == 10, line)
        nginx.ask(headers=[("x-ask", "v2")]).wait()
        line = nginx.log_of("v2")
        expect(line["decision"] == "refused" and line["reason"] != "", line)
        nginx.ask(key="nobody", headers=[("x-ask", "v3")]).wait()
        expect(nginx.log_of("v3")["reason"] == "invalid_api_key", nginx.log_of("v3"))
        status = nginx.get("/status")
        expect(status.header("content-type") == "application/json", status.headers)
        expect(json.loads(status.body)["backends"][0]["backend"] == "east", status.body)
        metrics = nginx.get("/metrics")
        expect(metrics.header("content-type").startswith("text/plain"), metrics.headers)
        asked = nginx.get("/metrics", headers=[("accept", "application/openmetrics-text")])
        expect(asked.header("content-type").startswith("application/openmetrics-text; version=1"),
               asked.headers)
        expect(asked.body.endswith(b"# EOF\n"), asked.body[-80:])


def test_explanation_for_the_client() -> None:
    backend = Backend(answering)
    document = policy({"east": backend.url}, requests_limit(1))
    with Nginx(MODULE, document) as nginx:
        expect(nginx.ask().wait().header("x-weir-explain") is None, "told unasked")
    document["headers"] = {"x-weir-explain": True}
    with Nginx(MODULE, document) as nginx:
        told = [json.loads(nginx.ask().wait().header("x-weir-explain")) for _ in range(2)]
        expect(told[0]["attempts"][0]["backend"] == "east", told)
        expect(told[1]["status"] == 429 and told[1]["limits"][0]["limit"] == "calls", told)


def test_events() -> None:
    backend = Backend(answering)
    server = "location = /weir/events { weir_events; }"
    with Nginx(MODULE, policy({"east": backend.url}), server=server) as nginx:
        model = 'a"b\\\n\x01<c>'
        nginx.ask({"model": model, "messages": [{"role": "user", "content": "Hi."}]}).wait()
        answer = nginx.get("/weir/events")
        expect(answer.header("content-type") == "text/event-stream", answer.headers)
        lines = answer.body.decode().split("\n")
        expect([lines[0], *lines[2:]] == ["retry: 1000", "", ""], lines)
        event = json.loads(lines[1].removeprefix("data: "))
        expect(abs(event["time_ms"] / 1000 - time.time()) < 60, event["time_ms"])
        expect(event["status"]["backends"][0]["backend"] == "east", event["status"])
        expect(event["changes"]["changes"] == [], event["changes"])
        expect('gen_ai_request_model="a\\"b' in event["metrics"], event["metrics"])
        expect(Ask(nginx.port, b"", target="/weir/events").wait().status == 405, "POST is served")


def event_of(nginx: Nginx) -> dict:
    line = nginx.get("/weir/events").body.decode().split("\n")[1]
    return json.loads(line.removeprefix("data: "))


def test_refusals_of_all_workers_are_shown() -> None:
    backend = Backend(answering)
    server = "location = /weir/events { weir_events; }"
    with Nginx(MODULE, policy({"east": backend.url}, requests_limit(5)), workers=4,
               server=server) as nginx:
        empty = event_of(nginx)
        expect((empty["consumers"], empty["refused"], empty["refusals"]) == ([], 0, []), empty)
        asks = [nginx.ask() for _ in range(50)]
        expect([ask.wait().status for ask in asks].count(429) == 45, [ask.status for ask in asks])
        # Each worker notes a refusal once its client has the answer.
        expect(eventually(lambda: event_of(nginx)["refused"] == 45 or None), "not 45 refused")
        nginx.ask(key="nobody").wait()
        expect(eventually(lambda: event_of(nginx)["refused"] == 46 or None), "not 46 refused")
        nginx.reload()
        event = event_of(nginx)
        expect(event["refused"] == 46 and len(event["refusals"]) == 30, event)
        times = [each["time_ms"] for each in event["refusals"]]
        expect(times == sorted(times, reverse=True), times)
        latest = event["refusals"][0]["explained"]
        expect(latest["answered"] == 401, latest)
        for each in event["refusals"][1:]:
            expect(each["explained"]["answered"] == 429, each)
            expect(each["explained"]["limits"][0]["limit"] == "calls", each)
        expect([each["consumer"] for each in event["consumers"]] == ["red"], event["consumers"])
        expect(event["consumers"][0]["limits"][0]["limit"] == "calls", event["consumers"])


def test_metrics_are_of_all_workers() -> None:
    backend = Backend(answering)
    with Nginx(MODULE, policy({"east": backend.url}), workers=4) as nginx:
        asks = [nginx.ask() for _ in range(40)]
        expect(all(ask.wait().status == 200 for ask in asks), "not served")
        wanted = 'weir_attempts_total{backend="east",outcome="ok"} 40\n'
        text = nginx.get("/metrics").body.decode()
        expect(wanted in text, text)
        names = [line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE ")]
        expect(len(names) == len(set(names)) > 3, names)
        backend.close()


def test_retry_goes_to_the_next_backend() -> None:
    east, west = Backend(), Backend()
    rewritten = policy({"nobody": f"http://127.0.0.1:{unused_port()}", "east": east.url,
                        "west": west.url})
    rewritten["backends"]["west"]["model"] = "gpt-4o-west"
    with Nginx(MODULE, rewritten) as nginx:
        ask = nginx.ask(headers=[("x-ask", "r1"), ("x-app", "tests"), ("connection", "x-app")])
        first = east.take()
        expect(find(first.headers, "x-app") is None, "a header of one connection is passed on")
        expect(find(first.headers, "host") == east.url.removeprefix("http://"), first.headers)
        first.answer(503, JSON_HEADERS, b"{}")
        second = west.take()
        expect(json.loads(second.body)["model"] == "gpt-4o-west", second.body)
        expect(int(find(second.headers, "content-length")) == len(second.body), second.headers)
        second.answer(200, JSON_HEADERS, chat_answer())
        ask.wait()
        expect(ask.status == 200 and ask.header("x-weir-attempts") == "3", ask.status, ask.headers)
        line = nginx.log_of("r1")
        expect(line["statuses"] == "502, 503, 200", line)
        expect(len(set(line["upstreams"].split(", "))) == 3, line)


def test_attempt_that_takes_too_long() -> None:
    east, west = Backend(), Backend(answering)
    with Nginx(MODULE, policy({"east": east.url, "west": west.url},
                              backend={"timeout": "200ms"})) as nginx:
        ask = nginx.ask().wait()
        expect(ask.status == 200 and ask.header("x-weir-backend") == "west", ask.headers)
        expect(eventually(lambda: east.take().gone() or None), "the first attempt goes on")


def test_kept_connection_that_was_closed() -> None:
    """The backend closes a connection just when the next request is sent on it."""
    def once(arrival):
        answering(arrival)
        if arrival.backend.count == 1:
            time.sleep(0.05)
            arrival.break_off()
    backend = Backend(once)
    with Nginx(MODULE, policy({"east": backend.url}), workers=1) as nginx:
        for _ in range(5):
            ask = nginx.ask().wait()
            expect(ask.status == 200 and ask.header("x-weir-attempts") == "1", ask.headers)


def test_stream_passes_as_it_comes() -> None:
    backend = Backend()
    with Nginx(MODULE, policy({"east": backend.url})) as nginx:
        ask = nginx.ask({"model": "gpt-4o", "stream": True,
                         "messages": [{"role": "user", "content": "Say hello."}]})
        arrival = backend.take()
        arrival.head(200, STREAM_HEADERS)
        for i in range(10):
            sent = time.monotonic()
            arrival.data(chat_chunk(f"word{i} "))
            expect(eventually(lambda i=i: True if b"word%d " % i in ask.body else None, 1.0),
                   "piece", i, "does not come")
            expect(time.monotonic() - sent < 0.1, "piece", i, "is late")
        arrival.data(chat_chunk(None, "stop") + b"data: [DONE]\n\n")
        arrival.end()
        ask.wait()
        expect(ask.complete and ask.body.endswith(b"data: [DONE]\n\n"), ask.body[-100:])


def stream_body() -> dict:
    return {"model": "gpt-4o", "stream": True,
            "messages": [{"role": "user", "content": "Say hello."}]}


def test_stream_that_breaks_off() -> None:
    backend = Backend()
    with Nginx(MODULE, policy({"east": backend.url}), workers=1) as nginx:
        for number, framed in enumerate((True, False)):
            ask = nginx.ask(stream_body(), headers=[("x-ask", f"b{number}")])
            arrival = backend.take()
            arrival.head(200, STREAM_HEADERS, None if framed else 100000)
            arrival.data(chat_chunk("Hello"))
            eventually(lambda ask=ask: True if ask.body else None)
            arrival.break_off()
            ask.wait()
            expect(ask.complete, "the client cannot tell the end from a cut")
            expect(b"Hello" in ask.body and b'data: {"error"' in ask.body, ask.body)
            expect(nginx.log_of(f"b{number}")["decision"] == "ended", nginx.log_of(f"b{number}"))


def test_stream_that_falls_silent() -> None:
    backend = Backend()
    with Nginx(MODULE, policy({"east": backend.url}), location="weir_read_timeout 200ms;") as nginx:
        ask = nginx.ask(stream_body())
        arrival = backend.take()
        arrival.head(200, STREAM_HEADERS)
        arrival.data(chat_chunk("Hello"))
        ask.wait()
        expect(ask.complete and b'data: {"error"' in ask.body, ask.complete, ask.body)


def test_stream_that_outlasts_its_deadline() -> None:
    backend = Backend()
    with Nginx(MODULE, policy({"east": backend.url}, backend={"timeout": "300ms"})) as nginx:
        ask = nginx.ask(stream_body())
        arrival = backend.take()
        arrival.head(200, STREAM_HEADERS)
        arrival.data(chat_chunk("Hello"))
        ask.wait()
        expect(ask.complete and b'data: {"error"' in ask.body, ask.complete, ask.body)
        expect(eventually(lambda: arrival.gone() or None), "the attempt goes on")


def test_answer_that_breaks_off_looks_broken() -> None:
    backend = Backend()
    with Nginx(MODULE, policy({"east": backend.url})) as nginx:
        ask = nginx.ask(headers=[("x-ask", "c1")])
        arrival = backend.take()
        arrival.head(200, JSON_HEADERS, 1000)
        arrival.data(b'{"id":')
        eventually(lambda: True if ask.body else None)
        arrival.break_off()
        ask.wait()
        expect(not ask.complete, "a cut answer looks complete", ask.body)
        expect(nginx.log_of("c1")["decision"] == "broken", nginx.log_of("c1"))


def test_wait_for_room() -> None:
    backend = Backend(answering)
    limit = {"calls": {"key": "consumer.id", "unit": "requests", "amount": 120, "per": "1m",
                       "algorithm": "token_bucket", "burst": 1,
                       "on_exceeded": {"action": "wait", "max_wait": "1200ms"}}}
    with Nginx(MODULE, policy({"east": backend.url}, limit), workers=1) as nginx:
        begun = time.monotonic()
        asks = [nginx.ask() for _ in range(2)]
        expect([ask.wait().status for ask in asks] == [200, 200], "not served")
        took = time.monotonic() - begun
        expect(0.4 < took < 1.2, "waited", took)
        leaves = nginx.ask(headers=[("x-ask", "w1")])
        time.sleep(0.05)
        leaves.hang_up()
        expect(nginx.log_of("w1", 1.0)["status"] == 499, "a waiting client that left is kept")
        expect(backend.count == 2, backend.count)


def test_client_that_leaves() -> None:
    backend = Backend()
    with Nginx(MODULE, policy({"east": backend.url})) as nginx:
        for number, begun in enumerate((False, True)):
            ask = nginx.ask(stream_body(), headers=[("x-ask", f"l{number}")])
            arrival = backend.take()
            if begun:
                arrival.head(200, STREAM_HEADERS)
                arrival.data(chat_chunk("Hello, world"))
                eventually(lambda ask=ask: True if ask.body else None)
            ask.hang_up()
            line = nginx.log_of(f"l{number}", 2.0)
            expect(line["decision"] == "left", line)
            expect(line["explain"]["usage"]["completion"] == (3 if begun else 0), line)
            expect(eventually(lambda a=arrival: a.gone() or None), "the backend goes on")


def test_bodies_of_all_sizes() -> None:
    def echo(arrival):
        size = len(json.loads(arrival.body)["messages"][0]["content"])
        arrival.answer(200, JSON_HEADERS, chat_answer("x" * size))
    backend = Backend(echo)
    with Nginx(MODULE, policy({"east": backend.url}), http="client_body_buffer_size 8k;") as nginx:
        for size in (1, 4000, 9000, 70000, 3_000_000):
            ask = nginx.ask({"model": "gpt-4o", "messages": [
                {"role": "user", "content": "word " * (size // 5)}]}).wait(20)
            expect(ask.status == 200, size, ask.status, ask.body[:300])
            text = json.loads(ask.body)["choices"][0]["message"]["content"]
            expect(len(text) == size // 5 * 5 and ask.complete, size, len(text))


def test_chunked_answer_and_slow_client() -> None:
    """Four megabytes that the client does not read for a while."""
    def large(arrival):
        arrival.head(200, STREAM_HEADERS)
        for _ in range(400):
            arrival.data(chat_chunk("word " * 2000))
        arrival.data(chat_chunk(None, "stop") + b"data: [DONE]\n\n")
        arrival.end()
    backend = Backend(large)
    with Nginx(MODULE, policy({"east": backend.url})) as nginx:
        ask = nginx.ask(stream_body(), reads_after_s=0.7).wait(20)
        expect(ask.complete and ask.body.count(b"word ") == 400 * 2000, len(ask.body))


def test_policy_faults_are_shown() -> None:
    faulty = '{\n  "weir": 1,\n  "limits": {"a": {"unit": "apples"}},\n  "routs": []\n}'
    nginx = Nginx(MODULE, faulty)
    try:
        result = nginx.check()
        expect(result.returncode != 0, "accepted")
        for text in (f"{nginx.path('policy.json')}:3:", f"{nginx.path('policy.json')}:4:", "routs"):
            expect(text in result.stderr, text, "is not in", result.stderr)
        nginx.write_policy(policy({"a": "http://127.0.0.1:1"}) | {
            "credentials": {"k": {"header": "api-key", "value": {"env": "NO_SUCH_KEY"}}}})
        result = nginx.check()
        expect("NO_SUCH_KEY" in result.stderr, result.stderr)
        nginx.write_policy(policy({"a": "http://127.0.0.1:1"}))
        nginx.config["location"] = "proxy_pass http://127.0.0.1:1;"
        result = nginx.check()
        expect("weir off" in result.stderr, result.stderr)
        nginx.config["location"] = ""
        result = nginx.check()
        expect(result.returncode == 0, result.stderr)
    finally:
        nginx.close()


def test_faulty_reload_changes_nothing() -> None:
    backend = Backend(answering)
    with Nginx(MODULE, policy({"east": backend.url}, requests_limit(3))) as nginx:
        expect(nginx.ask().wait().status == 200, "not served")
        nginx.write_policy("{")
        os.kill(nginx.process.pid, 1)
        expect(eventually(lambda: True if "policy.json:1:" in nginx.errors() else None), "no error")
        expect(nginx.ask().wait().status == 200, "the old policy is gone")
        nginx.write_policy(policy({"east": backend.url}, requests_limit(3)))
        nginx.reload()
        statuses = [nginx.ask().wait().status for _ in range(2)]
        expect(statuses == [200, 429], "the count of before is gone:", statuses)


def test_named_backend() -> None:
    backend = Backend(answering)
    named = backend.url.replace("127.0.0.1", "localhost")
    with Nginx(MODULE, policy({"east": named})) as nginx:
        expect(nginx.ask().wait().status == 200, nginx.errors())
    with Nginx(MODULE, policy({"east": f"http://no-such-host.invalid:{backend.port}"})) as nginx:
        expect(nginx.ask().wait(20).status == 502, nginx.errors())
        expect("could not be resolved" in nginx.errors(), nginx.errors())


def certificate(work: str) -> tuple[str, ssl.SSLContext]:
    """A certificate of its own for localhost."""
    paths = [os.path.join(work, name) for name in ("cert.pem", "key.pem")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*paths)
    return paths[0], context


def test_tls_backend() -> None:
    with tempfile.TemporaryDirectory() as work:
        trusted, context = certificate(work)
        backend = Backend(answering, tls=context)
        url = backend.url.replace("http://127.0.0.1", "https://localhost")
        with Nginx(MODULE, policy({"east": url}), workers=1) as nginx:
            expect(nginx.ask().wait().status == 502, "a backend that nobody vouches for is asked")
            expect("certificate verify" in nginx.errors(), nginx.errors())
        setting = f"weir_ssl_trusted_certificate {trusted};"
        with Nginx(MODULE, policy({"east": url}), workers=1, location=setting) as nginx:
            for _ in range(3):
                ask = nginx.ask().wait()
                expect(ask.status == 200 and ask.complete, ask.status, nginx.errors())
            ask = nginx.ask(stream_body()).wait()
            expect(ask.status == 200, ask.status)
        other = policy({"east": url.replace("localhost", "127.0.0.1")})
        with Nginx(MODULE, other, workers=1, location=setting) as nginx:
            expect(nginx.ask().wait().status == 502, "another name's certificate is taken")


if __name__ == "__main__":
    run_module_tests(globals())
