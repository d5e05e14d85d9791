"""grafana_test.py DASHBOARD GATEWAY UPSTREAM: every metric that the Grafana dashboard asks for,
with every label that it names, is in a scrape of a gateway that had all kinds of traffic; and
promtool, where it is installed, understands each of its queries."""

import json
import pathlib
import re
import shutil
import subprocess
import sys

from traffic import Traffic

# What Grafana puts in for its variables.
VARIABLES = {"$__rate_interval": "5m", "$__range": "1h", "$consumer": ".*"}
# Only there while something is amiss; the query says what it is otherwise.
MAY_BE_ABSENT = {"weir_degraded"}


def expressions(dashboard: dict) -> list[str]:
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    found += [re.sub(r"label_values\((\w+), (\w+)\)", r"sum by (\2) (\1)", variable["query"])
              for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    assert len(found) > 20, found
    for variable, value in VARIABLES.items():
        found = [expression.replace(variable, value) for expression in found]
    return found


def check_names(expression: str, scraped: dict[str, set[str]]) -> None:
    names = re.findall(r"\b(?:gen_ai|weir)_\w+", expression)
    assert names, expression
    labels = set(re.findall(r"(\w+)=~?\"", expression))
    for group in re.findall(r"by \(([^)]*)\)", expression):
        labels |= set(re.split(r", *", group))
    for name in names:
        if name in MAY_BE_ABSENT:
            continue
        assert name in scraped, f"{name}, of {expression}, is not in the scrape"
        unknown = labels - scraped[name]
        assert not unknown, f"{name} has no label {unknown}: {expression}"


def check_syntax(all_expressions: list[str], folder: str) -> None:
    if (promtool := shutil.which("promtool")) is None:
        print("promtool is not installed: the queries' syntax is not checked")
        return
    rules = [{"record": f"weir:panel:{i}", "expr": e} for i, e in enumerate(all_expressions)]
    path = pathlib.Path(folder) / "rules.yml"  # JSON is YAML
    path.write_text(json.dumps({"groups": [{"name": "weir", "rules": rules}]}), encoding="utf-8")
    subprocess.run([promtool, "check", "rules", path], check=True, stdout=subprocess.DEVNULL)


def main(path: str, gateway: str, upstream: str) -> int:
    found = expressions(json.loads(pathlib.Path(path).read_text(encoding="utf-8")))
    with Traffic(gateway, upstream) as traffic:
        traffic.run()
        text, content_type, _ = traffic.get("/metrics")
        assert content_type.startswith("text/plain"), content_type
        scraped: dict[str, set[str]] = {}
        for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
            scraped.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
        for expression in found:
            check_names(expression, scraped)
        check_syntax(found, traffic.work)
        text, content_type, _ = traffic.get(
            "/metrics", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
        assert content_type.startswith("application/openmetrics-text"), content_type
        assert text.endswith("# EOF\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
