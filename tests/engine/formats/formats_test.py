"""formats_test.py SAMPLES: others' readers accept what the engine writes.

Prometheus' own promtool and the strict OpenMetrics parser of its Python client read the texts; OTLP
is held against opentelemetry-proto's messages by the protobuf JSON mapping, transcribed below.
Readers that are not installed are named and left out; without any of them the test is skipped.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SKIPPED = 77


def check_promtool(folder):
    if not shutil.which("promtool"):
        print("left out: promtool is not installed")
        return False
    with open(folder / "prometheus.txt", "rb") as text:
        told = subprocess.run(["promtool", "check", "metrics"], stdin=text, capture_output=True,
                              text=True, check=False)
    # 3 is for lints, of style alone; 1 and 2 for what it cannot read.
    complaints = told.stderr + told.stdout
    assert told.returncode in (0, 3), complaints
    for line in complaints.splitlines():
        known = "metric names should not contain abbreviated units" in line
        assert known, line
    return True


def check_openmetrics(folder):
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
    except ImportError:
        print("left out: prometheus_client is not installed")
        return False
    text = (folder / "openmetrics.txt").read_bytes().decode()
    families = {each.name: each for each in text_string_to_metric_families(text)}
    usage = families["gen_ai_client_token_usage"]
    assert usage.type == "histogram"
    assert any(sample.exemplar for sample in usage.samples), "no exemplar"
    assert families["gen_ai_client_operation_duration_seconds"].unit == "seconds"
    series = {tuple(sorted(sample.labels.items())) for sample in families["weir_requests"].samples}
    assert 100 < len(series) < 400, len(series)
    return True


def check_prometheus_text(folder):
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError:
        return False
    text = (folder / "prometheus.txt").read_bytes().decode()
    requests = sum(sample.value for family in text_string_to_metric_families(text)
                   for sample in family.samples if sample.name == "weir_requests_total")
    assert requests == 2000, requests
    return True


# ---- The protobuf JSON mapping of ExportMetricsServiceRequest ----

def is_uint64(value):
    return isinstance(value, str) and re.fullmatch(r"0|[1-9][0-9]*", value) and int(value) < 2**64


def is_int64(value):
    return isinstance(value, str) and re.fullmatch(r"-?(0|[1-9][0-9]*)", value) \
        and -2**63 <= int(value) < 2**63


def is_double(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_hex(digits):
    return lambda value: isinstance(value, str) and re.fullmatch(f"[0-9a-f]{{{digits}}}", value)


def is_text(value):
    return isinstance(value, str)




ATTRIBUTE = {"key": is_text, "value": {"stringValue": is_text}}
EXEMPLAR = {"filteredAttributes": [ATTRIBUTE], "timeUnixNano": is_uint64, "asDouble": is_double,
            "asInt": is_int64, "spanId": is_hex(16), "traceId": is_hex(32)}
NUMBER_POINT = {"attributes": [ATTRIBUTE], "startTimeUnixNano": is_uint64,
                "timeUnixNano": is_uint64, "asDouble": is_double, "asInt": is_int64,
                "exemplars": [EXEMPLAR], "flags": is_double}
HISTOGRAM_POINT = {"attributes": [ATTRIBUTE], "startTimeUnixNano": is_uint64,
                   "timeUnixNano": is_uint64, "count": is_uint64, "sum": is_double,
                   "bucketCounts": [is_uint64], "explicitBounds": [is_double],
                   "exemplars": [EXEMPLAR], "flags": is_double, "min": is_double, "max": is_double}


def is_temporality(value):
    return value in (1, 2)


def is_bool(value):
    return isinstance(value, bool)


METRIC = {"name": is_text, "description": is_text, "unit": is_text,
          "gauge": {"dataPoints": [NUMBER_POINT]},
          "sum": {"dataPoints": [NUMBER_POINT], "aggregationTemporality": is_temporality,
                  "isMonotonic": is_bool},
          "histogram": {"dataPoints": [HISTOGRAM_POINT], "aggregationTemporality": is_temporality}}
REQUEST = {"resourceMetrics": [{
    "resource": {"attributes": [ATTRIBUTE], "droppedAttributesCount": is_double},
    "scopeMetrics": [{"scope": {"name": is_text, "version": is_text}, "metrics": [METRIC],
                      "schemaUrl": is_text}],
    "schemaUrl": is_text}]}


def check_shape(value, shape, where="request"):
    if isinstance(shape, dict):
        assert isinstance(value, dict), where
        for key, each in value.items():
            assert key in shape, f"{where} has no field {key}"
            check_shape(each, shape[key], f"{where}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), where
        for each in value:
            check_shape(each, shape[0], where + "[]")
    else:
        assert shape(value), f"{where}: {value!r}"


# ---- ExportTraceServiceRequest and ExportLogsServiceRequest ----

def is_one_of(*values):
    return lambda value: not isinstance(value, bool) and value in values


ANY_ATTRIBUTE = {"key": is_text, "value": {"stringValue": is_text, "intValue": is_int64,
                                           "boolValue": is_bool, "doubleValue": is_double}}
EVENT = {"timeUnixNano": is_uint64, "name": is_text, "attributes": [ANY_ATTRIBUTE],
         "droppedAttributesCount": is_double}
SPAN = {"traceId": is_hex(32), "spanId": is_hex(16), "traceState": is_text,
        "parentSpanId": is_hex(16), "flags": is_double, "name": is_text,
        "kind": is_one_of(0, 1, 2, 3, 4, 5), "startTimeUnixNano": is_uint64,
        "endTimeUnixNano": is_uint64, "attributes": [ANY_ATTRIBUTE], "events": [EVENT],
        "status": {"message": is_text, "code": is_one_of(0, 1, 2)}}
LOG_RECORD = {"timeUnixNano": is_uint64, "observedTimeUnixNano": is_uint64,
              "severityNumber": is_one_of(*range(25)), "severityText": is_text,
              "body": {"stringValue": is_text}, "attributes": [ANY_ATTRIBUTE],
              "flags": is_double, "traceId": is_hex(32), "spanId": is_hex(16),
              "eventName": is_text}
EXCHANGES = {
    "spans": {"resourceSpans": [{
        "resource": {"attributes": [ATTRIBUTE]},
        "scopeSpans": [{"scope": {"name": is_text, "version": is_text}, "spans": [SPAN]}]}]},
    "logs": {"resourceLogs": [{
        "resource": {"attributes": [ATTRIBUTE]},
        "scopeLogs": [{"scope": {"name": is_text, "version": is_text},
                       "logRecords": [LOG_RECORD]}]}]}}


def check_exchanges(folder, kind):
    request = json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"),
                         object_pairs_hook=no_twin_keys)
    check_shape(request, EXCHANGES[kind])
    (resource,) = request["resourceSpans" if kind == "spans" else "resourceLogs"]
    (scope,) = resource["scopeSpans" if kind == "spans" else "scopeLogs"]
    records = scope["spans" if kind == "spans" else "logRecords"]
    assert len(records) == 2000, len(records)
    assert len({record["spanId"] for record in records}) == 2000
    for record in records:
        assert record["traceId"] == "0af7651916cd43dd8448eb211c80319c"
        attributes = no_twin_keys([(each["key"], each["value"]) for each in record["attributes"]])
        assert all(len(value) == 1 for value in attributes.values())
        assert attributes["gen_ai.request.model"] == {"stringValue": "gpt-4o"}
        if kind == "spans":
            assert record["parentSpanId"] == "b7ad6b7169203331"
            assert 0 < int(record["startTimeUnixNano"]) <= int(record["endTimeUnixNano"])


def no_twin_keys(pairs):
    assert len({key for key, _ in pairs}) == len(pairs), pairs
    return dict(pairs)


def check_otlp(folder, name, temporality):
    request = json.loads((folder / name).read_text(encoding="utf-8"),
                         object_pairs_hook=no_twin_keys)
    check_shape(request, REQUEST)
    metrics = request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    assert len({metric["name"] for metric in metrics}) == len(metrics)
    for metric in metrics:
        kinds = [kind for kind in ("gauge", "sum", "histogram") if kind in metric]
        assert len(kinds) == 1, metric["name"]
        data = metric[kinds[0]]
        if kinds[0] != "gauge":
            assert data["aggregationTemporality"] == temporality
        seen = set()
        for point in data["dataPoints"]:
            labels = json.dumps(sorted((each["key"], each["value"]["stringValue"])
                                       for each in point["attributes"]))
            assert labels not in seen, labels
            seen.add(labels)
            if kinds[0] != "gauge":
                assert 0 < int(point["startTimeUnixNano"]) <= int(point["timeUnixNano"])
            if kinds[0] == "histogram":
                assert len(point["bucketCounts"]) == len(point["explicitBounds"]) + 1
                assert sum(map(int, point["bucketCounts"])) == int(point["count"])
            else:
                assert ("asInt" in point) != ("asDouble" in point)


def check_track(folder):
    names = set()
    with open(folder / "track.ndjson", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            envelope = json.loads(line, object_pairs_hook=no_twin_keys)
            data = envelope["data"]
            assert data["baseType"] == "MetricData" and data["baseData"]["ver"] == 2
            assert len(data["baseData"]["metrics"]) == 1  # more are not stored
            names.add(data["baseData"]["metrics"][0]["name"])
            assert envelope["iKey"] == "key"
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", envelope["time"])
    assert names == {"Total Tokens", "Prompt Tokens", "Completion Tokens"}, names


def main(samples):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([samples, name], check=True)
        check_otlp(folder, "cumulative.json", 2)
        check_otlp(folder, "delta.json", 1)
        check_exchanges(folder, "spans")
        check_exchanges(folder, "logs")
        check_track(folder)
        readers = [check_promtool(folder), check_openmetrics(folder),
                   check_prometheus_text(folder)]
    if not any(readers):
        print("skipped: no reader of Prometheus' is installed")
        return SKIPPED
    print("every reader takes what is written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
