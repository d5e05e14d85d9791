"""The Python library of OpenAI, unmodified, through the gateway. BASE: the gateway's URL."""

import os
import sys
import time
import traceback
import urllib.request

import openai

BASE = os.environ["BASE"]
ASK = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hello."}]}


def client(key, retries=0):
    return openai.OpenAI(api_key=key, base_url=BASE + "/v1", max_retries=retries)


def azure(key):
    return openai.AzureOpenAI(api_key=key, azure_endpoint=BASE, api_version="2024-10-21",
                              max_retries=0)


def metric(name, *labels):
    total = 0
    with urllib.request.urlopen(BASE + "/metrics") as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + "{") and all(label in line for label in labels):
                total += float(line.rsplit(" ", 1)[1])
    return total


def raised(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def collect(stream):
    seen = {"text": "", "usages": [], "finish": None}
    for chunk in stream:
        if chunk.usage:
            seen["usages"].append(chunk.usage)
        if chunk.choices:
            seen["text"] += chunk.choices[0].delta.content or ""
            seen["finish"] = chunk.choices[0].finish_reason or seen["finish"]
    return seen


def test_an_answer():
    for each in (client("vk-open"), azure("vk-open")):
        raw = each.chat.completions.with_raw_response.create(**ASK)
        answer = raw.parse()
        assert answer.choices[0].message.content
        assert answer.usage.prompt_tokens == 10, answer.usage
        assert raw.headers["x-weir-backend"] == "ptu", raw.headers


def test_a_stream_without_usage():
    for each in (client("vk-open"), azure("vk-open")):
        seen = collect(each.chat.completions.create(**ASK, stream=True))
        assert seen["text"] and seen["finish"] == "stop", seen
        assert not seen["usages"], seen


def test_a_stream_with_usage():
    for each in (client("vk-open"), azure("vk-open")):
        seen = collect(each.chat.completions.create(
            **ASK, stream=True, stream_options={"include_usage": True}))
        assert len(seen["usages"]) == 1, seen
        assert seen["usages"][0].prompt_tokens == 10, seen


def test_a_retry_waits_as_long_as_it_was_told():
    def refused():
        return metric("weir_limit_decisions_total", 'limit="tight"', 'decision="refused"')

    each = client("vk-tight", retries=2)
    each.chat.completions.create(**ASK)
    before = refused()
    began = time.monotonic()
    assert each.chat.completions.create(**ASK).usage.total_tokens > 0
    took = time.monotonic() - began
    assert refused() - before == 1, "one refusal, one wait, one success"
    assert 0.3 < took < 3, took


def test_errors_are_of_the_right_kind():
    error = raised(openai.AuthenticationError,
                   lambda: client("vk-nobody").chat.completions.create(**ASK))
    assert error.code == "invalid_api_key", error
    raised(openai.AuthenticationError, lambda: azure("vk-nobody").chat.completions.create(**ASK))
    each = client("vk-open")
    raised(openai.PermissionDeniedError,
           lambda: each.chat.completions.create(**{**ASK, "model": "o3-pro"}))
    error = raised(openai.BadRequestError,
                   lambda: each.chat.completions.create(**ASK, max_tokens=-1))
    assert error.param == "max_tokens", error


def test_a_stream_that_breaks_is_noticed():
    stream = client("vk-open").chat.completions.create(
        **ASK, stream=True, extra_headers={"x-upstream-fault": "reset=3"})
    raised(openai.APIError, lambda: collect(stream))


def test_a_client_that_leaves():
    def left():
        return metric("weir_requests_total", 'status="499"')

    before = left()
    with client("vk-open").chat.completions.create(
            **ASK, stream=True, extra_headers={"x-upstream-fault": "stall=4"}) as stream:
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                break
    deadline = time.monotonic() + 5
    while left() == before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left() - before == 1, "the transaction was settled"


def main():
    failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            print(f"ok: {name}")
        except Exception:
            failed += 1
            print(f"FAILED: {name}")
            traceback.print_exc(file=sys.stdout)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
