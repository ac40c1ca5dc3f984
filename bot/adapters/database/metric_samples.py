"""The figures that worker processes counted, one row for each series of `/metrics`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Engine, select

from bot.adapters.database.connection import insert_into, reading, writing
from bot.adapters.database.schema import measures
from bot.ports import MetricSample


def add_measures(
    engine: Engine, added: Sequence[MetricSample], latest: Sequence[MetricSample]
) -> None:
    """Adds `added` to the stored values and replaces those of `latest`; all or, raising
    OutsideError, none."""
    insert = insert_into(engine, measures)
    value_sum = measures.c.value + insert.excluded.value
    with writing(engine) as connection:
        for samples, value in ((added, value_sum), (latest, insert.excluded.value)):
            # Always in the same order: two workers would otherwise wait for each other.
            rows = sorted((_row(sample) for sample in samples), key=lambda row: str(row["id"]))
            if rows:
                upsert = insert.on_conflict_do_update(index_elements=["id"], set_={"value": value})
                connection.execute(upsert, rows)


def read_measures(engine: Engine) -> tuple[MetricSample, ...]:
    with reading(engine) as connection:
        rows = connection.execute(select(measures).order_by(measures.c.id)).all()
    return tuple(MetricSample(row.name, _labels(row.labels), row.value) for row in rows)


def _row(sample: MetricSample) -> dict[str, object]:
    labels = json.dumps(sample.labels)
    return {
        "id": f"{sample.name} {labels}",
        "name": sample.name,
        "labels": labels,
        "value": sample.value,
    }


def _labels(pairs: str) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(value)) for name, value in json.loads(pairs))
