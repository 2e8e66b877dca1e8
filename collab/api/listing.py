"""Pages of documents that show a caller nothing of others: neither items, nor a name inside the cursor.

Only those stretches of ids are read in which the caller's grants can match at all, and in them the database leaves out
what they cannot cover. The cursor is that of the last document shown, never of one that was left out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from collab.auth.base import Policy
from collab.auth.patterns import literal_prefix
from collab.store.base import Catalog, Document, Page
from collab.store.cursors import encode_cursor
from collab.types import Principal, Scope

GRANTS_MAX = 50  # conditions of a query; with more grants, rows are fetched and left out here
FETCH_MIN = 100  # rows read at once, so that few documents among many hidden ones take few reads


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for, as in Catalog.list."""

    limit: int
    cursor: str | None = None
    prefix: str = ""
    metadata: Mapping[str, str] | None = None
    deleted: bool = False


async def visible(catalog: Catalog, policy: Policy, principal: Principal, wanted: Wanted) -> Page[Document]:
    """One page of what the caller may read."""
    found: list[Document] = []
    async for document in _matching(catalog, principal, wanted):
        if policy.may(principal, document.id):
            if len(found) == wanted.limit:
                return Page(found, encode_cursor(found[-1].id))
            found.append(document)
    return Page(found, None)


async def _matching(catalog: Catalog, principal: Principal, wanted: Wanted) -> AsyncIterator[Document]:
    """In the order of ids: stretches do not overlap, and come in order."""
    size = max(wanted.limit + 1, FETCH_MIN)
    grants = () if Scope.ADMIN in principal.scopes or len(principal.grants) > GRANTS_MAX else principal.grants
    for stretch in stretches(principal, wanted.prefix):
        cursor = wanted.cursor
        while True:
            page = await catalog.list(size, cursor, stretch, wanted.metadata, wanted.deleted, grants)
            for document in page.items:
                yield document
            if page.cursor is None:
                break
            cursor = page.cursor


def stretches(principal: Principal, prefix: str) -> list[str]:
    """The beginnings that an id may have if the caller has any access to it, sorted, none within another."""
    if Scope.ADMIN in principal.scopes:
        return [prefix]
    heads = {grant.documents if grant.exact else literal_prefix(grant.documents) for grant in principal.grants}
    wanted = sorted({head if head.startswith(prefix) else prefix for head in heads if _meet(head, prefix)})
    kept: list[str] = []
    for head in wanted:
        if not kept or not head.startswith(kept[-1]):
            kept.append(head)
    return kept


def _meet(head: str, prefix: str) -> bool:
    return head.startswith(prefix) or prefix.startswith(head)
