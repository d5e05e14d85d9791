"""Comparing what came with what a transcript expects: see tests/transcripts/README.md."""

import json


def describe(value):
    return "nothing" if value is ABSENT else json.dumps(value, separators=(",", ":"))[:200]


ABSENT = object()  # a member that is not there, apart from null


def number_of(value):
    """The number that a value is, or that a text begins and ends with; None: none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


MATCHERS = {
    "$absent": lambda actual, operand: (actual is ABSENT) == operand,
    "$present": lambda actual, operand: (actual is not ABSENT) == operand,
    "$min": lambda actual, operand: number_of(actual) is not None and number_of(actual) >= operand,
    "$max": lambda actual, operand: number_of(actual) is not None and number_of(actual) <= operand,
    "$contains": lambda actual, operand: isinstance(actual, str) and operand in actual,
}


def is_matcher(expected):
    return isinstance(expected, dict) and expected and next(iter(expected)).startswith("$")


def same(actual, expected):
    """Equal as JSON: 30 is 30.0, but 1 is not true."""
    return actual == expected and isinstance(actual, bool) == isinstance(expected, bool)


def matcher_fault(actual, expected):
    for name, operand in expected.items():
        if name not in MATCHERS:
            return f": no matcher is called {name}"
        if not MATCHERS[name](actual, operand):
            return f": {describe(actual)} is not {name} {describe(operand)}"
    return None


def fault(actual, expected):
    """Where and how `actual` is not as expected (".choices[0]: 1 is not 2"); None: it is."""
    if is_matcher(expected):
        return matcher_fault(actual, expected)
    if isinstance(actual, dict) and isinstance(expected, dict):
        for name, value in expected.items():
            why = fault(actual.get(name, ABSENT), value)
            if why is not None:
                return f".{name}{why}"
        return None
    if isinstance(actual, list) and isinstance(expected, list):
        if len(actual) != len(expected):
            return f": {len(actual)} elements, not {len(expected)}"
        for index, (each, value) in enumerate(zip(actual, expected)):
            why = fault(each, value)
            if why is not None:
                return f"[{index}]{why}"
        return None
    if same(actual, expected):
        return None
    return f": {describe(actual)} is not {describe(expected)}"
