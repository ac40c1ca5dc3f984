"""What deploy/monitoring shows and when it alerts: held to what the web part tells, to the page on operations, and to
promtool."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bot.adapters.database import Database
from bot.metrics import MetricsBuffer, render_metrics
from bot.types import Reply, State
from bot.web import create_app
from tests import ROOT
from tests.deploy_tools import defaults, find_tool
from tests.fakes import memory_stores

FOLDER = ROOT / "deploy" / "monitoring"
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
SERIES = re.compile(r"\btinygen_[a-z_]+")
CHOSEN = re.compile(r'(\w+)=~?"([\w|]+)"')
QUESTIONS = ["Does it work?", "What waits, and why?", "What does it cost?"]
LEFT_OUT: frozenset[str] = frozenset()
"""Series that no panel shows."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, set[str]]]:
    """Each series of /metrics, with its labels and their values, after workers have counted of everything."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('database')}/tinygen.sqlite")
    database.create()
    buffer = MetricsBuffer()
    buffer.replied(Reply("x", "stop", "m", prompt_tokens=1, completion_tokens=1, seconds=1.0))
    buffer.retried("github")
    buffer.retried("model")
    buffer.step_ended("fetch", 0.5)
    buffer.github_left(7)
    buffer.set("tinygen_log_rows_waiting", 0)
    buffer.flush(database.add_measures)
    app = create_app(defaults(), memory_stores(), lambda: render_metrics(database))
    text = app.test_client().get("/metrics").get_data(as_text=True)
    database.close()
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return found


def shown() -> dict[str, str]:
    """The dashboard's queries, by panel and letter, with what Grafana would put in for its variables."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        .replace("$job", "tinygen")
        .replace("$__rate_interval", "5m")
        for panel in PANELS
        for target in panel.get("targets", [])
    }


def queries() -> Iterator[str]:
    yield from shown().values()
    yield from (rule["expr"] for rule in ALERTS)


def test_every_series_that_is_asked_for_is_told(told: dict[str, dict[str, set[str]]]) -> None:
    asked = {name for query in queries() for name in SERIES.findall(query)}
    assert asked - set(told) == set()


def test_every_label_and_value_that_is_asked_for_is_told(
    told: dict[str, dict[str, set[str]]],
) -> None:
    selected = 0
    for query in queries():
        for name, selector in re.findall(r"(tinygen_\w+)\{([^}]*)\}", query):
            for label, values in CHOSEN.findall(selector):
                if label != "job":  # Prometheus adds it
                    assert set(values.split("|")) <= told[name][label], query
                    selected += 1
        for labels in re.findall(r"\bby \(([\w, ]+)\)", query):
            known = {label for name in SERIES.findall(query) for label in told[name]}
            assert set(labels.split(", ")) <= known | {"job"}, query
    assert selected > 10


def table() -> dict[str, tuple[list[str], str]]:
    """The rows of the page's table of series: the names of each row, and what it says of them."""
    rows = {}
    for cell, meaning in re.findall(r"^\| (`tinygen_[^|]+) \| ([^|]+) \|$", RUNBOOK, re.MULTILINE):
        names = re.findall(r"`(\w+)", cell)
        whole = [name if name[0] != "_" else re.sub(r"_sum$", name, names[0]) for name in names]
        rows[whole[0]] = (whole, meaning)
    return rows


def test_the_dashboard_shows_every_series_of_the_page(
    told: dict[str, dict[str, set[str]]],
) -> None:
    explained = {name for names, _ in table().values() for name in names}
    assert explained == set(told)
    assert told["tinygen_jobs"]["state"] == set(get_args(State))
    on_panels = {name for query in shown().values() for name in SERIES.findall(query)}
    assert explained - on_panels == LEFT_OUT


def limits() -> dict[str, tuple[str, int]]:
    """The page's limits by series: the comparison and the number."""
    found = {}
    for name, (_, meaning) in table().items():
        limit = re.search(r"\b(over|under) ([\d,]+)", meaning)
        if limit:
            found[name] = (
                ">" if limit[1] == "over" else "<",
                int(limit[2].replace(",", "")),
            )
        elif meaning.endswith("; 0"):
            found[name] = ("==", 0)
    return found


def test_alerts_have_the_limits_of_the_page() -> None:
    assert len(limits()) >= 4
    for name, (comparison, number) in limits().items():
        wanted = re.compile(rf"{name}[^<>=]* {comparison} {number}(?!\d)")
        assert any(wanted.search(rule["expr"]) for rule in ALERTS), name


def test_panels_have_the_limits_of_the_page() -> None:
    for name, (_, number) in limits().items():
        steps = {
            step["value"]
            for panel in PANELS
            for target in panel.get("targets", [])
            if name in target["expr"]
            for step in panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
        }
        assert (number or 1) in steps, name


def test_the_alert_about_tokens_comes_before_the_day_s_limit() -> None:
    (rule,) = [rule for rule in ALERTS if rule["alert"] == "TinyGenTokensOfTheDay"]
    assert int(rule["expr"].rpartition("> ")[2]) == defaults().daily_tokens * 4 // 5


def anchors(page: str) -> set[str]:
    """Of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"\d+[mh]", rule["for"])
    assert rule["labels"]["severity"] in ("critical", "warning")
    said = rule["annotations"]
    assert set(said) == {"summary", "description", "runbook_url"}
    page, _, anchor = said["runbook_url"].partition("#")
    assert page == "docs/operations.md"
    assert anchor in anchors(RUNBOOK)


def test_every_alert_is_seen_firing_in_the_rules_tests() -> None:
    tested = (FOLDER / "alerts_test.yml").read_text()
    for rule in ALERTS:
        assert re.search(rf'alertname="{rule["alert"]}"', tested), rule["alert"]


def test_the_dashboard_can_be_imported() -> None:
    (wanted,) = DASHBOARD["__inputs"]
    assert (wanted["type"], wanted["pluginId"]) == ("datasource", "prometheus")
    assert DASHBOARD["schemaVersion"] >= 36
    ids = [panel["id"] for panel in PANELS]
    assert len(ids) == len(set(ids))
    required = {each["id"] for each in DASHBOARD["__requires"]}
    for panel in PANELS:
        asks = panel["type"] not in ("row", "text")
        assert panel["type"] == "row" or panel["type"] in required
        assert bool(panel.get("targets")) == asks, panel["title"]
        for source in (panel, *panel.get("targets", [])) if asks else ():
            assert source["datasource"]["uid"] == f"${{{wanted['name']}}}"


def test_the_panels_are_in_the_order_of_the_three_questions_and_do_not_overlap() -> None:
    assert [panel["title"] for panel in PANELS if panel["type"] == "row"] == QUESTIONS
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def promtool(*arguments: str | Path) -> str:
    """What it says, if it finds no fault."""
    done = subprocess.run(
        [find_tool("promtool"), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_promtool_finds_no_fault_with_the_alerts() -> None:
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", FOLDER / "alerts.yml")
    promtool("test", "rules", FOLDER / "alerts_test.yml")


@pytest.mark.slow
def test_promtool_reads_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": "panel", "expr": expr, "labels": {"of": of}} for of, expr in shown().items()
    ]
    written = tmp_path / "panels.yml"
    written.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", written)


@pytest.mark.slow
def test_promtool_reads_the_example_of_a_configuration(tmp_path: Path) -> None:
    example = (FOLDER / "prometheus.yml").read_text()
    key = "/etc/prometheus/tinygen-key"
    assert key in example
    (tmp_path / "key").write_text("x")
    (tmp_path / "prometheus.yml").write_text(example.replace(key, str(tmp_path / "key")))
    (tmp_path / "alerts.yml").write_text((FOLDER / "alerts.yml").read_text())
    assert "1 rule files found" in promtool("check", "config", tmp_path / "prometheus.yml")
