"""What workers counted, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading

from bot.adapters.database import Database
from bot.ports import MetricSample


def test_counts_are_added_and_last_values_replaced(database: Database) -> None:
    calls, left = MetricSample("calls_total", (("of", "x"),), 2.0), MetricSample("left", (), 10.0)
    database.add_measures([calls], [left])
    database.add_measures([calls], [MetricSample("left", (), 3.0)])
    database.add_measures([], [])
    assert database.measures() == (
        MetricSample("calls_total", (("of", "x"),), 4.0),
        MetricSample("left", (), 3.0),
    )


def test_workers_that_write_at_once_lose_nothing(database: Database) -> None:
    names = [f"n{number}" for number in range(8)]

    def write(order: list[str]) -> None:
        for _ in range(10):
            database.add_measures([MetricSample(name, (), 1.0) for name in order], [])

    threads = [threading.Thread(target=write, args=(order,)) for order in (names, names[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {measure.value for measure in database.measures()} == {20.0}
