"""Repeated runs of one point, as one row: the median of each figure, and its lowest and highest."""

from __future__ import annotations

import statistics

from loadtests.contrast.archive import Archive, Row


def by_kind(archive: Archive, section: str) -> dict[str, Row]:
    """The rows of a section by kind; for sections in which each kind has one shape."""
    return {rows[0]["shape"]["kind"]: median_row(rows) for rows in archive.rounds(section)}


def median_row(rows: list[Row]) -> Row:
    """Figure by figure; `spread` holds [lowest, highest] of each, `runs` how many there were."""
    row = dict(rows[0])
    row["spread"], row["runs"] = {}, len(rows)
    for name, value in rows[0].items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            values = [each[name] for each in rows]
            row[name], row["spread"][name] = statistics.median(values), [min(values), max(values)]
    return row
