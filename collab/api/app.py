"""The REST application: routers, problems, documentation, nothing else."""

from __future__ import annotations

import functools

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from collab import __version__
from collab.api import (
    audit,
    console,
    content,
    docs,
    documents,
    events,
    health,
    keys,
    openapi,
    presence,
    problems,
    sessions,
    snapshot_content,
    snapshots,
    state,
    tickets,
    updates,
    y_sweet,
)
from collab.api.cluster import Cluster
from collab.api.edge import API, Edge
from collab.api.parts import Parts
from collab.api.polls import Polls
from collab.api.reception import Reception
from collab.auth.guard import Guard

EXPOSED = ["ETag", "Location", "Next-After", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id"]
ROUTERS = (
    documents.router,
    state.router,
    updates.router,
    content.router,
    snapshots.router,
    snapshot_content.router,
    events.router,
    presence.router,
    tickets.router,
    y_sweet.router,
    keys.router,
    sessions.router,
    audit.router,
    console.router,
)


class Cors(CORSMiddleware):
    """For the same pages that the door lets in, whichever these are at the moment."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        super().__init__(app, allow_methods=["*"], allow_headers=["*"], expose_headers=EXPOSED)
        self._guard = guard

    def is_allowed_origin(self, origin: str) -> bool:
        """See CORSMiddleware."""
        return self._guard.names(origin)


def create_app(parts: Parts) -> FastAPI:
    """Builds the application around running services; whoever calls it starts and stops them."""
    app = FastAPI(
        title="collab",
        version=__version__,
        summary="Documents that many people edit at once.",
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        routes=list(routes()),
    )
    app.state.parts = parts
    app.state.cluster = Cluster(parts, parts.operations) if parts.operations is not None else None
    app.include_router(docs.router(app))
    problems.install(app, parts.refusals)
    openapi.install(app)
    app.add_middleware(Polls, parts=parts)
    app.add_middleware(Cors, guard=parts.door.guard)
    app.add_middleware(Edge, limits=parts.limits)  # it makes the path that all others see
    app.add_middleware(Reception, log=parts.log_access)  # added last, so outermost
    return app


@functools.cache
def routes() -> tuple[BaseRoute, ...]:
    """The same for every application: FastAPI reads their signatures for 0.2 s, now and once, not at the first call."""
    whole = APIRouter(generate_unique_id_function=_named)
    for router in ROUTERS:
        whole.include_router(router, prefix=API)
    whole.include_router(health.router)
    for _ in iter_route_contexts(whole.routes):
        pass
    return tuple(whole.routes)


def _named(route: APIRoute) -> str:
    return route.name
