"""Grants as conditions of a query, so that who may see few documents does not make us fetch all of them."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, func, true
from sqlmodel import col

from collab.store.tables import DocumentRow
from collab.types import Grant


def may_cover(dialect: str, grant: Grant) -> ColumnElement[bool]:
    """True for every document that the grant covers, and for few others: the policy has the last word.

    Of a pattern (auth/patterns.py) only the ends and the longest piece between are asked for, with functions that
    compare code points; LIKE ignores case in SQLite, and matching many stars takes it exponential time.
    """
    document = col(DocumentRow.id)
    if grant.exact or "*" not in grant.documents:
        return document == grant.documents
    first, *between, last = grant.documents.split("*")
    middle = max(between, key=len, default="")
    asked: list[ColumnElement[bool]] = []
    if first:
        asked.append(func.substr(document, 1, len(first)) == first)
    if last:
        end = func.right(document, len(last)) if dialect == "postgresql" else func.substr(document, -len(last))
        asked.append(end == last)
    if middle:
        place = func.strpos if dialect == "postgresql" else func.instr
        asked.append(place(document, middle) > 0)
    return and_(true(), *asked)
