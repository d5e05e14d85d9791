"""What a transcript expects, compared with what came: the rules of tests/transcripts/README.md."""

import json
import re

TIME_SLACK_MS = 300  # what a real clock may add



class Mismatch(Exception):
    """Says what differs."""


def show(value) -> str:
    return "nothing" if value is None else json.dumps(value, separators=(",", ":"))


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def number_of(value) -> float | None:
    if is_number(value):
        return float(value)
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def same_time(name: str, actual, expected) -> bool:
    """A time to wait, in a header or a member named so, by a real clock."""
    is_ms = name.endswith("_ms") or name == "retry-after-ms"
    slack = TIME_SLACK_MS if is_ms else 1 if name == "retry-after" else None
    numbers = number_of(actual), number_of(expected)
    return slack is not None and None not in numbers and abs(numbers[0] - numbers[1]) <= slack


def same_age(actual, expected) -> bool:
    """Texts that tell an age in seconds, by a real clock, and are equal but for it."""
    if not isinstance(actual, str) or not isinstance(expected, str):
        return False
    ages = [re.findall(r"\bage=(\d+)", text) for text in (actual, expected)]
    rest = [re.sub(r"\bage=\d+", "age", text) for text in (actual, expected)]
    return rest[0] == rest[1] and all(abs(int(a) - int(b)) <= 1 for a, b in zip(*ages))


def match_matcher(actual, expected) -> None:
    number = number_of(actual)
    for name, operand in expected.items():
        good = {
            "$absent": lambda o: (actual is None) == o,
            "$present": lambda o: (actual is not None) == o,
            "$min": lambda o: number is not None and number >= o,
            "$max": lambda o: number is not None and number <= o,
            "$contains": lambda o: isinstance(actual, str) and o in actual,
        }.get(name)
        if good is None:
            raise Mismatch(f"no matcher is called {name}")
        if not good(operand):
            raise Mismatch(f"{show(actual)} is not {name} {show(operand)}")


def at(place: str, actual, expected) -> None:
    try:
        match(actual, expected)
    except Mismatch as mismatch:
        inner = str(mismatch)
        raise Mismatch(place + ("" if inner[0] in ".[" else ": ") + inner) from None


def match(actual, expected) -> None:
    if isinstance(expected, dict) and expected and next(iter(expected)).startswith("$"):
        match_matcher(actual, expected)
    elif isinstance(expected, dict) and isinstance(actual, dict):
        for name, value in expected.items():
            if not same_time(name, actual.get(name), value):
                at(f".{name}", actual.get(name), value)
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(actual) != len(expected):
            raise Mismatch(f"{len(actual)} elements, not {len(expected)}")
        for i, value in enumerate(expected):
            at(f"[{i}]", actual[i], value)
    elif actual != expected or isinstance(actual, bool) != isinstance(expected, bool):
        raise Mismatch(f"{show(actual)} is not {show(expected)}")


def match_pieces(what: str, text: str, expected: dict) -> None:
    for piece in expected.get("contains", []):
        if piece not in text:
            raise Mismatch(f'{what} does not contain "{piece}": {text[:600]}')
    for piece in expected.get("lacks", []):
        if piece in text:
            raise Mismatch(f'{what} contains "{piece}": {text[:600]}')


def match_message(what: str, headers: dict[str, str], body: str, expected: dict) -> None:
    for name, value in expected.get("headers", {}).items():
        found = headers.get(name.lower())
        if not same_time(name.lower(), found, value) and not same_age(found, value):
            at(f"{what} header {name}", found, value)
    if "body" in expected:
        try:
            value = json.loads(body)
        except ValueError as error:
            raise Mismatch(f"{what} body: not JSON ({error}): {body[:300]}") from None
        at(f"{what} body", value, expected["body"])
    match_pieces(f"{what} body", body, expected)
    if "body_text" in expected:
        at(f"{what} body", body, expected["body_text"])


def only(what: str, given: dict | None, words: str) -> None:
    """A misspelt word must not pass unread."""
    for name in given or {}:
        if name not in words.split():
            raise Mismatch(f'{what}: no word "{name}"')
