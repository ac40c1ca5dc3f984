"""What the workers counted, one row for each series."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Engine, select

from bot.adapters.database.connection import insert_into, reading, writing
from bot.adapters.database.schema import measures
from bot.watch import Measure


def add_measures(engine: Engine, added: Sequence[Measure], latest: Sequence[Measure]) -> None:
    """`added` to what is there, `latest` in its place; all or, raising OutsideError, nothing."""
    insert = insert_into(engine, measures)
    kinds: tuple[tuple[Sequence[Measure], ColumnElement[float]], ...] = (
        (added, measures.c.value + insert.excluded.value),
        (latest, insert.excluded.value),
    )
    with writing(engine) as connection:
        for counted, value in kinds:
            # In one order everywhere: two workers would else wait for each other.
            rows = sorted((_row(measure) for measure in counted), key=lambda row: str(row["id"]))
            if rows:
                connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_={"value": value}), rows)


def read_measures(engine: Engine) -> tuple[Measure, ...]:
    with reading(engine) as connection:
        rows = connection.execute(select(measures).order_by(measures.c.id)).all()
    return tuple(
        Measure(row.name, tuple((str(a), str(b)) for a, b in json.loads(row.labels)), row.value) for row in rows
    )


def _row(measure: Measure) -> dict[str, object]:
    labels = json.dumps(measure.labels)
    return {"id": f"{measure.name} {labels}", "name": measure.name, "labels": labels, "value": measure.value}
