"""Many rows at a time, as dictionaries with ids taken beforehand (rows.take_ids)."""

from collections.abc import Iterable, Mapping
from typing import Any

from portal.database.columns import Model
from portal.database.rows import chunks


def insert(model: type[Model], rows: Iterable[Mapping[str, Any]]) -> None:
    for chunk in chunks(rows):
        model.insert_many(chunk).execute()
