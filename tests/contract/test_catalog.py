"""The contract of Catalog, on every database."""

from __future__ import annotations

import itertools

import pytest
import uuid_utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collab.auth.patterns import matches
from collab.errors import BadRequest, Conflict, Gone, LineageRetired, NotFound, Unprocessable
from collab.store.base import UNSEEN, Append, Checkpoint, Document, Entry
from collab.store.open import Store
from collab.types import Access, Grant

rounds = itertools.count()


def append(document: str, update: bytes, lineage: str) -> Append:
    return Append(document, lineage, uuid_utils.uuid7().bytes, [Entry("ann", "s1", update)])


async def ids(store: Store, page_size: int = 100, **filters: object) -> list[str]:
    """Every id of a listing, page by page."""
    found: list[str] = []
    cursor = None
    while True:
        page = await store.catalog.list(page_size, cursor, **filters)  # type: ignore[arg-type]
        assert len(page.items) <= page_size
        found += [document.id for document in page.items]
        if page.cursor is None:
            return found
        cursor = page.cursor


async def test_a_new_document_is_empty_and_named(store: Store) -> None:
    made = await store.catalog.create("a", "Title", {"team": "red", "n": 1, "deep": {"x": [None]}})
    assert (made.id, made.title, made.seq, made.bytes_stored, made.deleted_at) == ("a", "Title", 0, 0, None)
    assert made.metadata == {"team": "red", "n": 1, "deep": {"x": [None]}}
    assert len(made.lineage) == 16
    assert await store.catalog.get("a") == made
    stored = await store.log.load("a")
    assert stored is not None and (stored.lineage, stored.seq, stored.rows) == (made.lineage, 0, [])


async def test_a_taken_id_is_a_conflict_and_a_deleted_one_gone(store: Store) -> None:
    await store.catalog.create("a", None, {})
    with pytest.raises(Conflict):
        await store.catalog.create("a", None, {})
    await store.catalog.set_deleted("a", True)
    with pytest.raises(Gone):
        await store.catalog.create("a", None, {})


async def test_what_nobody_may_see_is_there_once_it_is_renamed(store: Store) -> None:
    made = await store.catalog.create(f"{UNSEEN}in the making", "Title", {})
    await store.log.append([append(made.id, b"\0\0", made.lineage)])
    assert await ids(store) == await ids(store, deleted=True) == []
    await store.catalog.rename(made.id, made.lineage, "a")
    assert await ids(store) == ["a"]
    stored = await store.log.load("a")
    assert stored is not None and (stored.lineage, stored.seq) == (made.lineage, 1)
    assert await store.log.load(made.id) is None


async def test_a_document_is_not_renamed_over_another_nor_another_life_of_it(store: Store) -> None:
    made, _ = await store.catalog.create("a", None, {}), await store.catalog.create("b", None, {})
    with pytest.raises(Conflict):
        await store.catalog.rename("a", made.lineage, "b")
    with pytest.raises(NotFound):
        await store.catalog.rename("a", "another lineage", "c")
    with pytest.raises(NotFound):
        await store.catalog.rename("d", made.lineage, "c")
    assert await ids(store) == ["a", "b"]


async def test_what_is_not_there_is_not_found(store: Store) -> None:
    for call in (
        store.catalog.get("a"),
        store.catalog.patch("a", {"title": "x"}),
        store.catalog.set_deleted("a", True),
        store.catalog.purge("a", frozenset()),
    ):
        with pytest.raises(NotFound):
            await call


async def test_appends_are_seen_in_the_catalog(store: Store) -> None:
    made = await store.catalog.create("a", None, {})
    [done] = await store.log.append([append("a", b"x" * 100, made.lineage)])
    assert done.last_seq == 1
    after = await store.catalog.get("a")
    assert after.seq == 1 and 100 < after.bytes_stored < 150 and after.updated_at >= made.updated_at
    await store.log.put_checkpoint("a", made.lineage, Checkpoint(1, b"s" * 1000, b"i" * 10))
    assert (await store.catalog.get("a")).bytes_stored == after.bytes_stored + 1010


async def test_patch_sets_what_it_names(store: Store) -> None:
    await store.catalog.create("a", "One", {"k": "v"})
    renamed = await store.catalog.patch("a", {"title": "Two"})
    assert (renamed.title, renamed.metadata) == ("Two", {"k": "v"})
    cleared = await store.catalog.patch("a", {"title": None, "metadata": {"x": "y"}})
    assert (cleared.title, cleared.metadata) == (None, {"x": "y"})
    assert await store.catalog.get("a") == cleared


async def test_deletion_is_soft_and_may_be_said_twice(store: Store) -> None:
    await store.catalog.create("a", "One", {})
    first = await store.catalog.set_deleted("a", True)
    assert first.deleted_at is not None and await store.catalog.set_deleted("a", True) == first
    with pytest.raises(Gone):
        await store.catalog.get("a")
    with pytest.raises(Gone):
        await store.catalog.patch("a", {"title": "x"})
    assert await store.catalog.get("a", deleted=True) == first
    assert await ids(store) == [] and await ids(store, deleted=True) == ["a"]
    back = await store.catalog.set_deleted("a", False)
    assert back.deleted_at is None and back.title == "One"


async def test_a_purged_id_is_free_but_its_lineage_and_authors_are_not(store: Store) -> None:
    made = await store.catalog.create("a", "Secret", {})
    await store.log.append([append("a", b"x", made.lineage)])
    await store.log.put_checkpoint("a", made.lineage, Checkpoint(1, b"s", b"i"))
    await store.snapshots.create("a", 1, b"s", None, {}, "ann")
    await store.catalog.purge("a", frozenset({7, 2**53 - 1}))
    with pytest.raises(NotFound):
        await store.catalog.get("a", deleted=True)
    assert await store.log.heads(["a"]) == {}
    free = await store.log.load("a")
    assert free is not None and (free.created, free.seq, free.rows) == (False, 0, ())
    assert free.retired_authors == {7, 2**53 - 1} and free.lineage != made.lineage

    [old] = await store.log.append([append("a", b"old", made.lineage)])
    assert isinstance(old.error, LineageRetired)
    assert await store.log.heads(["a"]) == {}
    [new] = await store.log.append([append("a", b"new", free.lineage)])
    assert (new.error, new.last_seq) == (None, 1)
    again = await store.log.load("a")
    assert again is not None and again.created and again.retired_authors == {7, 2**53 - 1}
    assert (await store.catalog.get("a")).title is None
    assert (await store.snapshots.list("a", 10)).items == []


async def test_a_purge_that_knows_where_a_document_stands_spares_one_that_has_moved_on(store: Store) -> None:
    made = await store.catalog.create("a", None, {})
    await store.log.append([append("a", b"x", made.lineage), append("a", b"y", made.lineage)])
    with pytest.raises(Conflict):
        await store.catalog.purge("a", frozenset({1}), 1)
    assert (await store.catalog.get("a")).seq == 2
    await store.catalog.purge("a", frozenset({1}), 2)
    assert await store.log.heads(["a"]) == {}


async def test_purging_twice_keeps_both_sets_of_authors(store: Store) -> None:
    for author in (1, 2):
        await store.catalog.create("a", None, {})
        await store.catalog.purge("a", frozenset({author}))
    stored = await store.log.load("a")
    assert stored is not None and stored.retired_authors == {1, 2}


async def test_pages_have_every_document_once_in_byte_order(store: Store) -> None:
    names = ["b", "a", "Z", "ä", "a/b", "a b", "a%b", "a_b", "😀", "a\ufffd", "10", "9"]
    for name in names:
        await store.catalog.create(name, None, {})
    expected = sorted(names, key=str.encode)
    for size in (1, 2, 5, 12, 100):
        assert await ids(store, size) == expected


async def test_pages_are_stable_while_documents_come_and_go(store: Store) -> None:
    for name in "bdfhj":
        await store.catalog.create(name, None, {})
    page = await store.catalog.list(2)
    assert [d.id for d in page.items] == ["b", "d"]
    await store.catalog.create("a", None, {})
    await store.catalog.create("e", None, {})
    await store.catalog.purge("d", frozenset())
    rest = await store.catalog.list(10, page.cursor)
    assert [d.id for d in rest.items] == ["e", "f", "h", "j"]


@pytest.mark.parametrize("cursor", ["!", "%%%", "_w", "AA", "a" * 1001])
async def test_a_cursor_from_elsewhere_is_a_bad_request(store: Store, cursor: str) -> None:
    with pytest.raises(BadRequest):
        await store.catalog.list(10, cursor)


async def test_a_prefix_is_taken_as_it_is_written(store: Store) -> None:
    for name in ("a%b", "a_b", "axb", "A%b", "a%", "a\U0010ffff", "a\U0010ffffz", "a\ud7ffz", "b"):
        await store.catalog.create(name, None, {})
    assert await ids(store, prefix="a%") == ["a%", "a%b"]
    assert await ids(store, prefix="a_") == ["a_b"]
    assert await ids(store, prefix="A") == ["A%b"]
    assert await ids(store, prefix="a\U0010ffff") == ["a\U0010ffff", "a\U0010ffffz"]
    assert await ids(store, prefix="a\ud7ff") == ["a\ud7ffz"]
    assert await ids(store, prefix="c") == []


async def test_metadata_is_filtered_by_equal_strings(store: Store) -> None:
    odd = 'k"\\.$[0] ü'
    await store.catalog.create("a", None, {"team": "red", odd: 'v"\\'})
    await store.catalog.create("b", None, {"team": "red", "state": "done"})
    await store.catalog.create("c", None, {"team": ["red"], "n": 1, "deep": {"team": "red"}})
    assert await ids(store, metadata={"team": "red"}) == ["a", "b"]
    assert await ids(store, metadata={"team": "red", "state": "done"}) == ["b"]
    assert await ids(store, metadata={odd: 'v"\\'}) == ["a"]
    assert await ids(store, metadata={"n": "1"}) == []
    assert await ids(store, 1, metadata={"team": "red"}) == ["a", "b"]


async def test_text_that_no_database_holds_is_unprocessable(store: Store) -> None:
    for name in ("a\0b", "\ud800"):
        with pytest.raises(Unprocessable):
            await store.catalog.create(name, None, {})
    assert await ids(store) == []


id_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=4)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.sets(id_text, max_size=8), prefix=st.text("ab\U0010ffff\ud7ff", max_size=2), size=st.integers(1, 4))
async def test_any_listing_is_the_sorted_filtered_set(store: Store, names: set[str], prefix: str, size: int) -> None:
    space = f"{next(rounds)}/"
    for name in names:
        await store.catalog.create(space + name, None, {})
    expected = sorted((n for n in names if n.startswith(prefix)), key=str.encode)
    assert await ids(store, size, prefix=space + prefix) == [space + name for name in expected]


async def test_documents_of_one_listing_equal_those_read_alone(store: Store) -> None:
    made: list[Document] = [await store.catalog.create(name, name * 2, {"n": name}) for name in "abc"]
    assert list((await store.catalog.list(10)).items) == made


async def test_grants_leave_out_where_the_rows_are_what_none_of_them_covers(store: Store) -> None:
    """Never one that a grant covers: asked for each pattern, of each id, beside the policy's own matching."""
    names = ["team/a", "Team/a", "x/notes", "x/notes/y", "*", "a*b", "über/notes", "notes", "noteß", "50%_x", "[ab]?"]
    for name in names:
        await store.catalog.create(name, None, {})
    patterns = ["*", "*/notes", "x/*", "*notes*", "*/n*y", "a**b", "50%*", "[*?", "*ß", "über*", "none*", "*none"]
    for pattern in patterns:
        grant = Grant(pattern, Access.READ)
        covered = sorted(name for name in names if matches(pattern, name))
        found = await ids(store, 3, grants=[grant])
        assert set(covered) <= set(found), pattern
        if pattern.count("*") == 1:
            assert covered == sorted(found), pattern
    assert await ids(store, grants=[Grant("*", Access.READ, exact=True), Grant("notes", Access.READ)]) == ["*", "notes"]
