"""Client tokens of `@y-sweet/client`: a ticket, and where its socket is opened."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from collab.api.deps import Caller, EncodedId, PartsDep
from collab.api.problems import NAMED, answers
from collab.api.tickets import MintedTicket, NewTicket, create_ticket
from collab.auth.origins import WEB_ORIGIN
from collab.errors import Overloaded, Unprocessable
from collab.sockets.admission import Y_SWEET_MOUNT

router = APIRouter(prefix="/documents/{document}/y-sweet-token", tags=["access"])


class NewClientToken(NewTicket):
    """What the token is good for, and where browsers reach this service."""

    origin: Annotated[
        str | None,
        Field(
            pattern=WEB_ORIGIN,
            max_length=500,
            examples=["https://collab.example.com"],
            description="Where browsers reach this service; if left out, where this call did.",
        ),
    ] = None


class ClientToken(BaseModel):
    """As the client takes it from its `authEndpoint`; `docId` must be the one that it asked for."""

    url: str = Field(examples=["wss://collab.example.com/y-sweet"])
    baseUrl: str = Field(examples=["https://collab.example.com/api/documents"])
    docId: str
    token: str = Field(examples=["ct_…"])
    authorization: Literal["full", "read-only"]


@router.post(
    "",
    status_code=201,
    summary="Mint a token for @y-sweet/client",
    responses=answers(*NAMED, Overloaded, Unprocessable),
)
async def create_y_sweet_token(
    document: EncodedId, body: NewClientToken, parts: PartsDep, principal: Caller, request: Request, response: Response
) -> ClientToken:
    """A ticket in the form that `@y-sweet/client` wants: the application's `authEndpoint` passes it on as it is.

    One use, within a minute: the client asks for another one when it has to come back. Asks for what tickets ask for.
    """
    minted = await create_ticket(document, body, parts, principal, response)
    return client_token(minted, body.origin or parts.door.origin(request))


def client_token(minted: MintedTicket, origin: str) -> ClientToken:
    """`origin`: http or https, and the host. The client appends a slash and the id to `url`."""
    return ClientToken(
        url=f"ws{origin.removeprefix('http')}{Y_SWEET_MOUNT.rstrip('/')}",
        baseUrl=f"{origin}/api/documents",
        docId=minted.document,
        token=minted.ticket,
        authorization="full" if minted.access == "write" else "read-only",
    )
