"""Signs of life for load balancers and Prometheus; never authenticated, never about content."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0
from pydantic import BaseModel, Field

from collab.api.deps import PartsDep
from collab.api.parts import Parts, Probe
from collab.errors import CollabError

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: str = "ok"


class Ready(BaseModel):
    """What each probe said: "ok", or what is wrong."""

    ready: bool
    node: str = Field(description="Which node answers; a fresh name each time it starts.", examples=["4f1c2b9a7d3e"])
    open: bool = Field(description="No authentication is configured: whoever reaches it may do everything.")
    probes: dict[str, str] = Field(examples=[{"database": "ok", "bus": "ok"}])
    warnings: list[str] = Field(
        [],
        description="What an operator should look at; the node does its work all the same.",
        examples=[["2 documents are quarantined: run collab doctor"]],
    )


@router.get("/healthz", summary="Is the process up?")
async def healthz() -> Alive:
    """Always 200 while the process can answer; says nothing of the database."""
    return Alive()


@router.get(
    "/readyz",
    summary="Can this node do its work?",
    responses={503: {"model": Ready, "description": "Something that the node needs does not work."}},
)
async def readyz(parts: PartsDep, response: Response) -> Ready:
    """200 if the database takes reads and writes, and the node is not going down.

    A bus that is away is told, but the node stays ready: what it loses is speed between nodes.
    """
    names = list(parts.probes)
    results = await asyncio.gather(*(_probe(parts.probes[name], parts.probe_s) for name in names))
    said = dict(zip(names, results, strict=True))
    if parts.hub.draining:
        said["node"] = "draining"
    ready = all(text == "ok" for text in said.values())
    said |= {name: "ok" if works() else "away" for name, works in parts.hints.items()}
    response.status_code = 200 if ready else 503
    return Ready(
        ready=ready,
        node=parts.hub.node,
        open=parts.door.guard.openness.open,
        probes=said,
        warnings=[*parts.warnings()],
    )


async def _probe(probe: Probe, probe_s: float) -> str:
    try:
        async with asyncio.timeout(probe_s):
            await probe()
    except TimeoutError:
        return f"no answer in {probe_s:g} s"
    except CollabError as error:
        return error.detail
    return "ok"


@router.get(
    "/metrics",
    summary="Figures of this node",
    response_class=Response,
    responses={200: {"description": "Prometheus text.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(parts: PartsDep) -> Response:
    """For Prometheus to scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(NodeCollector(parts))
    ProcessCollector(registry=registry)  # memory, files, processor time; where there is /proc
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_1_0_0)


class NodeCollector:
    """Turns the node's plain integers into metrics at the moment they are asked for."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        """Everything, fresh."""
        hub = self._parts.hub
        for name, value in self._parts.counters.items():
            kind = GaugeMetricFamily if name == "sockets" else CounterMetricFamily
            yield kind(f"collab_{name}", name.replace("_", " "), value=value)
        refused = CounterMetricFamily("collab_refusals", "refused by error code", labels=("where", "code"))
        for labels, count in self._parts.refusals.counts.items():
            refused.add_metric(labels, count)
        yield refused
        sizes = [slot.room.history.size_bytes for slot in hub.slots.values()]
        yield GaugeMetricFamily("collab_rooms", "documents loaded", value=len(sizes))
        yield GaugeMetricFamily("collab_resident_bytes", "bytes of documents loaded", value=sum(sizes))
        for name, measured in self._parts.gauges().items():
            yield GaugeMetricFamily(f"collab_{name}", name.replace("_", " "), value=measured)
