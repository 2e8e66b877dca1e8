"""The one policy: who may do what, and what those learn who may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.auth.policy import GrantPolicy
from collab.errors import CollabError, Forbidden, NotFound
from collab.types import ANONYMOUS, Access, Grant, Principal, Scope

POLICY = GrantPolicy()


def holder(*grants: Grant, scopes: frozenset[Scope] = frozenset()) -> Principal:
    return Principal("p", "jwt", grants=grants, scopes=scopes)


def test_a_principal_without_grants_may_do_nothing_whatever_its_kind() -> None:
    for kind in ("open", "key", "jwt", "ticket"):
        assert POLICY.may(Principal("p", kind), "doc") is Access.NONE


def test_everybody_may_do_everything_while_open() -> None:
    assert POLICY.may(ANONYMOUS, "doc") is Access.WRITE
    assert all(POLICY.has(ANONYMOUS, scope) for scope in Scope)


def test_the_highest_grant_counts_in_any_order() -> None:
    grants = [Grant("*", Access.READ), Grant("a/*", Access.WRITE), Grant("a/b", Access.COMMENT)]
    for order in (grants, grants[::-1]):
        assert POLICY.may(holder(*order), "a/b") is Access.WRITE
        assert POLICY.may(holder(*order), "b") is Access.READ


def test_an_exact_grant_covers_one_id_even_if_that_has_a_star_in_it() -> None:
    ticket = holder(Grant("*", Access.WRITE, exact=True))
    assert POLICY.may(ticket, "*") is Access.WRITE
    assert POLICY.may(ticket, "other") is Access.NONE


def test_an_admin_may_do_everything() -> None:
    admin = holder(scopes=frozenset({Scope.ADMIN}))
    assert POLICY.may(admin, "any") is Access.WRITE
    POLICY.require_scope(admin, Scope.TICKETS_CREATE)


def test_a_scope_that_was_not_given_is_refused() -> None:
    with pytest.raises(Forbidden):
        POLICY.require_scope(holder(Grant("*", Access.WRITE)), Scope.TICKETS_CREATE)
    with pytest.raises(Forbidden):
        POLICY.require_scope(holder(scopes=frozenset({Scope.TICKETS_CREATE})), Scope.ADMIN)


def refusal(principal: Principal, needed: Access, exists: bool) -> CollabError:
    with pytest.raises(CollabError) as caught:
        POLICY.require(principal, "team-b/plan", needed, exists)
    return caught.value


def test_a_hidden_document_and_an_absent_one_look_the_same() -> None:
    stranger = holder(Grant("team-a/*", Access.WRITE))
    hidden, absent = (refusal(stranger, Access.READ, exists) for exists in (True, False))
    assert type(hidden) is type(absent) is NotFound
    assert (hidden.detail, hidden.extra) == (absent.detail, absent.extra)


def test_a_reader_learns_that_it_may_not_write_and_what_is_absent() -> None:
    reader = holder(Grant("team-b/*", Access.READ))
    assert type(refusal(reader, Access.WRITE, exists=True)) is Forbidden
    assert type(refusal(reader, Access.READ, exists=False)) is NotFound


accesses = st.sampled_from(Access)
grants = st.lists(st.builds(Grant, st.sampled_from(["*", "a/*", "a/b", "b"]), accesses, st.booleans()), max_size=4)


@given(grants, st.sampled_from(["a/b", "a/c", "b", "*"]), accesses, st.booleans())
def test_require_gives_what_may_says_or_refuses(held: list[Grant], document: str, needed: Access, exists: bool) -> None:
    principal = holder(*held)
    access = POLICY.may(principal, document)
    try:
        assert POLICY.require(principal, document, needed, exists) is access
    except NotFound:
        assert access is Access.NONE or not exists
    except Forbidden:
        assert Access.NONE < access < needed
    else:
        assert exists and access >= needed and access is not Access.NONE
