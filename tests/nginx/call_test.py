"""call_test.py MODULE [NAME...]: side requests (CALL) through `weir_call`: what an embedder is sent
and what it never sees, answers that are late, wrong, cut off or too large, clients that leave,
reloads meanwhile. Each nginx is stopped at the end, and must not have left anything open."""

import contextlib
import http.client
import json
import random
import re
import signal
import subprocess
import time

from support import (JSON_HEADERS, STREAM_HEADERS, Backend, Nginx, chat_answer, chat_chunk,
                     eventually, expect, find, policy, run_module_tests, unused_port)

MODULE = ""
DEADLINE_S = 0.3  # of the embedder, by the policy
SLACK_S = 0.25  # for a busy machine
CALL = """location = /weir-call {{
  internal; weir off; proxy_pass $weir_call_url; proxy_buffering {buffering};
}}"""


def answering(arrival) -> None:
    arrival.answer(200, JSON_HEADERS, chat_answer())


def vector_answer(vector: list[float], pad: str = "") -> bytes:
    return json.dumps({
        "object": "list", "model": "small", "usage": {"prompt_tokens": 2, "total_tokens": 2},
        "data": [{"index": 0, "object": "embedding", "embedding": vector}], "pad": pad}).encode()


def embedding(arrival) -> None:
    """The same vector for every text."""
    arrival.answer(200, JSON_HEADERS, vector_answer([1, 0.5, 0, 0, 0, 0, 0, 0]))


def cached(backend_url: str, embedder_url: str, dimensions: int = 8,
           deadline_s: float = DEADLINE_S) -> dict:
    document = policy({"east": backend_url})
    document["backends"]["embed"] = {"url": embedder_url + "/base", "dialect": "openai",
                                     "credential": "embed"}
    document["credentials"] = {"embed": {"header": "api-key", "value": {"env": "EMBED_KEY"}}}
    document["caches"] = {"faq": {
        "embedding": {"backend": "embed", "model": "small", "dimensions": dimensions,
                      "deadline": f"{int(deadline_s * 1000)}ms"},
        "max_distance": 0.0625, "partition": "shared", "max_entries": 100, "max_bytes": "4MiB"}}
    document["routes"][0]["cache"] = "faq"
    return document


@contextlib.contextmanager
def gateway(document: dict, buffering: str = "off", **config):
    """An nginx whose log has nothing alarming in the end, of what it left open for instance."""
    config = {"location": "weir_call /weir-call;", "workers": 1,
              "server": CALL.format(buffering=buffering)} | config
    nginx = Nginx(MODULE, document, {"EMBED_KEY": "embed-secret"}, **config)
    try:
        nginx.start()
        yield nginx
        nginx.process.send_signal(signal.SIGQUIT)
        nginx.process.wait(10)
        bad = r"\[alert\]|\[emerg\]|exited on signal|exited with code [^0]"
        expect(re.search(bad, nginx.errors()) is None, nginx.errors()[-2000:])
    finally:
        nginx.close()


def say(text: str, **more) -> dict:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]} | more


def cache_of(nginx: Nginx, ask_id: str) -> dict:
    return nginx.log_of(ask_id)["explain"]["cache"]


def asked(nginx: Nginx, number: int, **more):
    """One request whose text nobody has asked before; its answer and what the cache made of it."""
    ask = nginx.ask(say(f"Text {number}"), headers=[("x-ask", f"n{number}")], **more).wait()
    expect(ask.status == 200 and ask.complete, ask.status, ask.body[:300], nginx.errors()[-1000:])
    return ask, cache_of(nginx, f"n{number}")


def test_what_the_embedder_sees() -> None:
    backend, embedder = Backend(answering), Backend()
    with gateway(cached(backend.url, embedder.url)) as nginx:
        ask = nginx.ask(say("First words"), target="/v1/chat/completions?key=vk-query",
                        headers=[("x-ask", "s1"), ("x-app", "tests"), ("cookie", "c=vk-cookie"),
                                 ("referer", "vk-referer"), ("accept-encoding", "gzip")])
        call = embedder.take()
        expect(call is not None, ask.status, ask.body)
        expect(backend.count == 0, "the backend is asked before the embedder has answered")
        expect((call.method, call.target) == ("POST", "/base/v1/embeddings"), call.target)
        expect(find(call.headers, "api-key") == "embed-secret", call.headers)
        expect(find(call.headers, "host") == embedder.url.removeprefix("http://"), call.headers)
        expect(find(call.headers, "content-length") == str(len(call.body)), call.headers)
        expect(find(call.headers, "accept-encoding") == "identity", call.headers)
        names = {name for name, _ in call.headers} - {"accept-encoding"}
        expect(names == {"api-key", "connection", "content-length", "content-type", "host"}, names)
        expect("vk-" not in str(call.headers) + call.target + call.body.decode(), call.headers)
        sent = json.loads(call.body)
        expect(sent["input"] == "First words" and sent["model"] == "small", sent)
        embedding(call)
        ask.wait()
        expect(ask.status == 200 and "miss" in ask.header("x-weir-cache"), ask.headers)
        expect(cache_of(nginx, "s1")["embedding"] == "ok", cache_of(nginx, "s1"))
        ask = nginx.ask(say("Quite other words"), key=None, headers=[("api-key", "vk-red")])
        call = embedder.take()
        expect(find(call.headers, "api-key") == "embed-secret", call.headers)
        expect("vk-" not in str(call.headers), call.headers)
        embedding(call)
        expect("hit; similarity=" in ask.wait().header("x-weir-cache"), ask.headers)
        expect(ask.body and backend.count == 1, ask.body, backend.count)
        expect("weir:" not in nginx.errors(), nginx.errors())


def test_headers_of_the_client_stay_in_variables_of_its_own() -> None:
    """Also where the location asks for them by name, and the client's log has its own."""
    backend, embedder = Backend(answering), Backend()
    call = CALL.format(buffering="off").replace("internal;", """internal;
      proxy_set_header x-seen "$http_authorization $http_x_ask $cookie_c $arg_key $args";""")
    with gateway(cached(backend.url, embedder.url), server=call + """
        set $seen $http_authorization; set $also $http_x_ask;""") as nginx:
        ask = nginx.ask(say("First words"), target="/v1/chat/completions?key=vk-query",
                        headers=[("x-ask", "v1"), ("cookie", "c=vk-cookie")])
        call = embedder.take()
        expect(not (find(call.headers, "x-seen") or "").strip(), call.headers)
        embedding(call)
        expect(ask.wait().status == 200, ask.status)
        expect(nginx.log_of("v1") is not None, "the log does not know the client's header")


def test_slow_embedder_costs_its_deadline() -> None:
    def slow(arrival):
        time.sleep(2)
        with contextlib.suppress(OSError):
            embedding(arrival)
    for buffering in ("off", "on"):
        backend, embedder = Backend(answering), Backend(slow)
        with gateway(cached(backend.url, embedder.url), buffering) as nginx:
            for number in range(2):
                ask, cache = asked(nginx, number)
                took = ask.times[-1] - ask.begun
                expect(DEADLINE_S <= took < DEADLINE_S + SLACK_S, "took", took)
                expect(cache["embedding"] == "timeout", cache)
            expect(embedder.count == 2 and backend.count == 2, embedder.count, backend.count)


def test_late_embedder_keeps_no_connection() -> None:
    """The next request of a kept connection does not wait for it, and it is hung up on."""
    backend, embedder = Backend(answering), Backend()
    with gateway(cached(backend.url, embedder.url)) as nginx:
        connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=5)
        headers = {"authorization": "Bearer vk-red", "content-type": "application/json"}
        for number in range(4):  # of the fourth nobody is asked, after three faults
            begun = time.monotonic()
            body = json.dumps(say(f"Text {number}"))
            connection.request("POST", "/v1/chat/completions", body, headers)
            expect(connection.getresponse().read(), "no answer")
            took = time.monotonic() - begun
            expect(took < DEADLINE_S + SLACK_S, number, "took", took)
        for _ in range(3):
            call = embedder.take()
            expect(eventually(lambda call=call: call.gone() or None), "the call goes on")
            with contextlib.suppress(OSError):
                embedding(call)
        connection.close()


def test_faulty_embedders() -> None:
    def cut(arrival):
        arrival.head(200, JSON_HEADERS, 1000)
        arrival.data(b'{"data":')
        arrival.break_off()

    def cut_chunks(arrival):
        arrival.head(200, JSON_HEADERS)
        arrival.data(vector_answer([1] * 8))
        arrival.break_off()
    faults = {
        "failed": [cut, cut_chunks, lambda a: a.break_off(),
                   lambda a: a.answer(503, JSON_HEADERS, b"down"),
                   lambda a: a.answer(404, JSON_HEADERS, b"{}")],
        "unreadable": [lambda a: a.answer(200, JSON_HEADERS, b"<html>"),
                       lambda a: a.answer(200, JSON_HEADERS, b"")],
        "wrong_dimension": [lambda a: a.answer(200, JSON_HEADERS, vector_answer([1, 2]))]}
    backend = Backend(answering)
    for buffering in ("off", "on"):
        for wanted, fault in [(name, each) for name in faults for each in faults[name]]:
            embedder = Backend(fault)
            with gateway(cached(backend.url, embedder.url), buffering) as nginx:
                ask, cache = asked(nginx, 1)
                expect(cache["embedding"] == wanted, cache, wanted)
                expect(ask.times[-1] - ask.begun < SLACK_S, "took", ask.times[-1] - ask.begun)


def test_dead_embedder() -> None:
    backend = Backend(answering)
    with gateway(cached(backend.url, f"http://127.0.0.1:{unused_port()}")) as nginx:
        results = [asked(nginx, number)[1]["embedding"] for number in range(4)]
        expect(results == ["failed"] * 3 + ["resting"], results)
        expect("no answer to the side request" in nginx.errors(), nginx.errors())


def test_large_answers() -> None:
    """Of 3072 components they fit by default; what does not fit is a failure."""
    vector = [0.012345678901234567 + i / 1e5 for i in range(3072)]
    for buffering in ("off", "on"):
        backend, embedder = Backend(answering), Backend()
        with gateway(cached(backend.url, embedder.url, 3072), buffering) as nginx:
            for number, size in enumerate((60_000, 250_000, 270_000, 2_000_000)):
                for framed in (True, False):
                    body = vector_answer(vector)
                    body = vector_answer(vector, "x" * (size - len(body)))
                    ask = nginx.ask(say(f"{size} {framed}"), headers=[("x-ask", f"{size}{framed}")])
                    call = embedder.take(5 if number < 3 or framed else 0.2)
                    if call is None:
                        expect(number == 3, "not asked", size, framed)  # rests, after three faults
                        continue
                    with contextlib.suppress(OSError):
                        call.head(200, JSON_HEADERS, len(body) if framed else None)
                        call.data(body)
                        call.end()
                    call.over.set()
                    expect(ask.wait().status == 200 and ask.complete, size, framed, ask.status)
                    found = cache_of(nginx, f"{size}{framed}")["embedding"]
                    expect(found == ("ok" if number < 2 else "failed"), size, framed, found)
            expect("than the 262144 bytes" in nginx.errors(), nginx.errors())
    small = {"location": "weir_call /weir-call 1k;"}
    with gateway(cached(backend.url, Backend(
            lambda a: a.answer(200, JSON_HEADERS, vector_answer([1] * 8, "x" * 1100))).url),
                 **small) as nginx:
        expect(asked(nginx, 1)[1]["embedding"] == "failed", "taken")


def test_many_at_once() -> None:
    backend, embedder = Backend(answering), Backend()
    count = 40
    with gateway(cached(backend.url, embedder.url, deadline_s=30), workers=2) as nginx:
        asks = [nginx.ask(say(f"Text {number}")) for number in range(count)]
        calls = [embedder.take() for _ in asks]
        texts = {json.loads(call.body)["input"] for call in calls}
        expect(texts == {f"Text {number}" for number in range(count)}, texts)
        for i, call in enumerate(reversed(calls)):
            call.answer(200, JSON_HEADERS, vector_answer([i + 1, -i, 1, 0, 0, 0, 0, i]))
        statuses = [ask.wait().status for ask in asks]
        expect(statuses == [200] * count, statuses)


def test_client_that_leaves_meanwhile() -> None:
    backend, embedder = Backend(answering), Backend()
    with gateway(cached(backend.url, embedder.url)) as nginx:
        for number in range(2):
            ask = nginx.ask(say(f"Text {number}"), headers=[("x-ask", f"l{number}")])
            call = embedder.take()
            if number == 1:  # in the middle of the answer
                call.head(200, JSON_HEADERS, 1000)
                call.data(b'{"data":')
                time.sleep(0.05)
            ask.hang_up()
            line = nginx.log_of(f"l{number}", 0.2)  # not at the deadline
            expect(line and line["decision"] == "left" and line["status"] == 499, line)
            expect(eventually(lambda call=call: call.gone() or None), "the call goes on")
        expect(backend.count == 0, backend.count)
        ask = nginx.ask(say("Another"))
        embedding(embedder.take())
        expect(ask.wait().status == 200, ask.status)


def test_without_a_location() -> None:
    backend, embedder = Backend(answering), Backend(embedding)
    with gateway(cached(backend.url, embedder.url), location="") as nginx:
        for number in range(3):
            asked(nginx, number)
        expect(embedder.count == 0, embedder.count)
        told = [line for line in nginx.errors().splitlines() if "weir_call" in line]
        expect(len(told) == 1 and "requests go on without" in told[0], told)
    missing = {"location": "weir_call /nowhere;"}
    with gateway(cached(backend.url, embedder.url), **missing,
                 server="location = /nowhere { internal; weir off; root /nonexistent; }") as nginx:
        expect(asked(nginx, 1)[1]["embedding"] == "failed", "not told")
    for location, server in (("weir_call /nowhere;", ""), ("weir_call /v1/embeddings;", "")):
        with gateway(cached(backend.url, embedder.url), location=location, server=server) as nginx:
            expect(asked(nginx, 1)[1]["embedding"] == "failed", "not told")
            expect("location with \"weir on\"" in nginx.errors(), nginx.errors())


def test_faults_of_the_directive() -> None:
    backend = Backend(answering)
    for text, told in (("weir-call", "begins with"), ("/call 0", "invalid size"),
                       ("/call 1x", "invalid size"), ("/a; weir_call /b", "duplicate")):
        nginx = Nginx(MODULE, policy({"east": backend.url}), location=f"weir_call {text};")
        result = nginx.check()
        nginx.close()
        expect(result.returncode != 0 and told in result.stderr, text, result.stderr)


def test_locations_that_send_in_other_ways() -> None:
    """Kept connections by an upstream's name, what nginx itself answers, what is delayed there."""
    backend, embedder = Backend(answering), Backend(embedding)
    kept = f"upstream embedder {{ server 127.0.0.1:{embedder.port}; keepalive 4; }}"
    server = """location = /weir-call {
      internal; weir off; proxy_pass http://embedder$weir_call_target;
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $weir_call_host;
      proxy_buffering off; }"""
    seen = set()

    def note(arrival):
        seen.add(arrival._connection.getpeername())
        expect(arrival.target == "/base/v1/embeddings", arrival.target)
        expect(find(arrival.headers, "host") == f"127.0.0.1:{embedder.port}", arrival.headers)
        embedding(arrival)
    embedder._handler = note
    with gateway(cached(backend.url, embedder.url), http=kept, server=server) as nginx:
        for number in range(5):
            expect(asked(nginx, number)[1]["embedding"] == "ok", nginx.errors())
        expect(len(seen) == 1, "connections", seen)
    # By the address that weir gives, where an upstream has the host's name.
    named = f"""upstream embeddings.test {{ server 127.0.0.1:{embedder.port}; keepalive 4; }}"""
    seen.clear()
    server = server.replace("http://embedder$weir_call_target", "$weir_call_url")
    with gateway(cached(backend.url, "http://embeddings.test"), http=named,
                 server=server.replace("$weir_call_host", embedder.url[7:])) as nginx:
        for number in range(3):
            expect(asked(nginx, number)[1]["embedding"] == "ok", nginx.errors())
        expect(len(seen) == 1, "connections", seen)
    answer = vector_answer([1] * 8).decode()
    server = f"location = /weir-call {{ internal; weir off; return 200 '{answer}'; }}"
    with gateway(cached(backend.url, embedder.url), server=server) as nginx:
        expect(asked(nginx, 1)[1]["embedding"] == "ok", nginx.errors())


def test_delays_where_it_is_sent() -> None:
    """One is let through, the next waits there: for less than the deadline, or for more."""
    backend, embedder = Backend(answering), Backend(embedding)
    server = """location = /weir-call { internal; weir off; limit_req zone=calls burst=5;
      proxy_pass $weir_call_url; }"""
    for rate, wanted, least_s in (("10r/s", "ok", 0.05), ("1r/s", "timeout", DEADLINE_S)):
        zone = f"limit_req_zone $server_port zone=calls:1m rate={rate};"
        with gateway(cached(backend.url, embedder.url), server=server, http=zone) as nginx:
            asked(nginx, 0)
            ask, cache = asked(nginx, 1)
            took = ask.times[-1] - ask.begun
            expect(cache["embedding"] == wanted, rate, cache)
            expect(least_s <= took < DEADLINE_S + SLACK_S, rate, "took", took)
    expect(embedder.count == 3, "what nobody waits for is asked", embedder.count)


def test_stream_after_a_call() -> None:
    backend, embedder = Backend(), Backend(embedding)
    with gateway(cached(backend.url, embedder.url)) as nginx:
        ask = nginx.ask(say("Tell me.", stream=True))
        arrival = backend.take()
        arrival.head(200, STREAM_HEADERS)
        for i in range(3):
            arrival.data(chat_chunk(f"word{i} "))
            expect(eventually(lambda i=i: True if b"word%d " % i in ask.body else None, 1.0),
                   "piece", i, "does not come")
        arrival.data(chat_chunk(None, "stop") + b"data: [DONE]\n\n")
        arrival.end()
        expect(ask.wait().complete and ask.body.endswith(b"[DONE]\n\n"), ask.body[-100:])


def test_reload_and_stop_meanwhile() -> None:
    backend, embedder = Backend(answering), Backend()
    with gateway(cached(backend.url, embedder.url, deadline_s=4)) as nginx:
        ask = nginx.ask(say("Before the reload"), headers=[("x-ask", "r1")])
        call = embedder.take()
        nginx.reload()
        embedding(call)
        expect(ask.wait().status == 200, ask.status)
        expect(cache_of(nginx, "r1")["embedding"] == "ok", cache_of(nginx, "r1"))
    with gateway(cached(backend.url, embedder.url)) as nginx:
        ask = nginx.ask(say("At the deadline of which the worker is ending"))
        call = embedder.take()
        nginx.reload()
        expect(ask.wait().status == 200, ask.status)
        ask = nginx.ask(say("While all ends"))
        embedder.take()
        nginx.process.send_signal(signal.SIGQUIT)
        expect(ask.wait().status == 200, ask.status)
        nginx.process.wait(10)
    with gateway(cached(backend.url, embedder.url)) as nginx:
        nginx.ask(say("At once"))
        embedder.take()
        nginx.process.terminate()
        nginx.process.wait(10)


def test_http2() -> None:
    backend, embedder = Backend(answering), Backend(embedding)
    port = unused_port()
    server = CALL.format(buffering="off") + f"listen 127.0.0.1:{port} http2;"
    with gateway(cached(backend.url, embedder.url), server=server) as nginx:
        command = ["curl", "-sS", "--http2-prior-knowledge", "--max-time", "5", "-d",
                   json.dumps(say("By HTTP/2")), "-H", "authorization: Bearer vk-red", "-H",
                   "content-type: application/json", "-H", "x-ask: h1",
                   f"http://127.0.0.1:{port}/v1/chat/completions"]
        result = subprocess.run(command, capture_output=True, timeout=20, check=False)
        expect(b"Hello!" in result.stdout, result)
        expect(cache_of(nginx, "h1")["embedding"] == "ok", cache_of(nginx, "h1"))
        embedder._handler = embedder.arrivals.put
        command[command.index("5")] = "0.1"  # the client leaves
        command[command.index("x-ask: h1")] = "x-ask: h2"
        command[command.index("-d") + 1] = json.dumps(say("It leaves"))
        subprocess.run(command, capture_output=True, timeout=20, check=False)
        call = embedder.take()
        expect(nginx.log_of("h2", 1)["decision"] == "left", nginx.log_of("h2"))
        expect(eventually(lambda: call.gone() or None), "the call goes on")


def many_caches(backend_url: str, embedder_url: str, count: int) -> dict:
    """Each with an embedder of its own, so that the faults of one have not all of them rest."""
    document = cached(backend_url, embedder_url)
    embed, cache = document["backends"].pop("embed"), document["caches"].pop("faq")
    document["routes"] = []
    for i in range(count):
        document["backends"][f"embed{i}"] = embed
        document["caches"][f"faq{i}"] = cache | {
            "embedding": cache["embedding"] | {"backend": f"embed{i}"}, "max_bytes": "1MiB"}
        document["routes"].append({"name": f"chat{i}", "pool": "chat", "cache": f"faq{i}",
                                   "match": {"path": f"/{i}/v1/chat/completions"}})
    return document


def test_storm() -> None:
    """All of that at once, and reloads: whoever stays is served, and nothing is left open."""
    chance = random.Random(7)
    caches, rounds, at_once = 12, 6, 36

    def anything(arrival):
        with contextlib.suppress(OSError):
            kind = chance.randrange(8)
            time.sleep(chance.choice((0, 0, 0.01, 0.1, 0.29, 0.3, 0.31, 0.5)))
            if kind == 0:
                arrival.break_off()
            elif kind == 1:
                arrival.answer(200, JSON_HEADERS, vector_answer([1] * 8, "x" * 300_000))
            elif kind == 2:
                arrival.head(200, JSON_HEADERS)
                arrival.data(vector_answer([1] * 8))
                arrival.break_off()
            elif kind == 3:
                arrival.answer(500, JSON_HEADERS, b"{}")
            else:
                arrival.answer(200, JSON_HEADERS,
                               vector_answer([chance.random() - 0.5 for _ in range(8)]))
        arrival.over.set()
    backend, embedder = Backend(answering), Backend(anything)
    for buffering in ("off", "on"):
        document = many_caches(backend.url, embedder.url, caches)
        with gateway(document, buffering, workers=2) as nginx:
            for number in range(rounds):
                asks = [nginx.ask(say(f"Text {number} {i}", stream=bool(i % 5 == 4)),
                                  target=f"/{i % caches}/v1/chat/completions")
                        for i in range(at_once)]
                time.sleep(chance.random() * 0.3)
                left = set(chance.sample(range(at_once), at_once // 4))
                for i in left:
                    asks[i].hang_up()
                if number == rounds // 2:
                    nginx.reload()
                for i, ask in enumerate(asks):
                    fair = ask.wait().status == 200 and ask.complete
                    expect(fair or i in left, number, i, ask.status, ask.body[:200])
            expect(embedder.count > at_once, embedder.count)


if __name__ == "__main__":
    run_module_tests(globals())
