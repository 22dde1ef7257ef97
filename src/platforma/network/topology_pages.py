"""The page of the topology: a drawing, and the same in words."""

from fastapi import APIRouter, Request, Response

from platforma.network.drawing import draw
from platforma.network.endpoints import Reads
from platforma.network.topology import survey_topology
from platforma.portal.rendering import render
from platforma.portal.routes import PageRoute

topology = APIRouter(prefix="/topology", tags=["Networks"], route_class=PageRoute)


@topology.get("")
async def show_topology(request: Request, reading: Reads) -> Response:
    """What is connected with what, and what is open to the internet."""
    found = await survey_topology(reading.session)
    return render(request, "network/topology.html", reading, topology=found, drawing=draw(found))
