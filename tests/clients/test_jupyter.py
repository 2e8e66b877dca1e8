"""Jupyter's shared notebook (`jupyter_ydoc`, what JupyterLab's server keeps per file) as a document of this server."""

from __future__ import annotations

from typing import Any

from jupyter_ydoc import YNotebook

from collab_client import Documents, connect
from tests.conftest import Service
from tests.patience import PATIENCE_S

SOURCE = "import math\nprint(math.pi)  # π 😀"


def notebook(*sources: str) -> dict[str, Any]:
    """One in nbformat 4.5 with code cells of these sources; the first one has an output."""
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "source": source,
            "metadata": {"trusted": True},
            "execution_count": None,
            "outputs": [],
        }
        for number, source in enumerate(sources)
    ]
    cells[0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "3.14\n"}]
    return {"cells": cells, "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}


async def test_two_people_work_in_a_notebook(service: Service, document: str) -> None:
    """Sources are merged character by character, cells and outputs as a whole; REST reads what Jupyter holds, and a
    snapshot brings it back.
    """
    async with (
        connect(service.url, document, service.admin) as ada,
        connect(service.url, document, service.admin) as bob,
        Documents(service.url, key=service.admin) as docs,
    ):
        hers, his = YNotebook(ada.doc), YNotebook(bob.doc)
        hers.set(notebook(SOURCE, "1 + 1"))
        await bob.until(lambda: his.cell_number == 2, PATIENCE_S)
        assert his.get() == hers.get()
        await ada.saved()
        kept = await docs.snapshots.take(document, "as it was")

        hers.ycells[0]["source"].insert(0, "# circles\n")
        source = his.ycells[0]["source"]
        source += "\n# end"
        his.ycells[0]["outputs"].clear()
        his.append_cell({"cell_type": "markdown", "source": "*done*", "metadata": {}})
        await ada.until(lambda: hers.cell_number == 3 and hers.get() == his.get(), PATIENCE_S)
        await bob.until(lambda: his.get() == hers.get(), PATIENCE_S)
        first = hers.get()["cells"][0]
        assert (first["source"], first["outputs"]) == (f"# circles\n{SOURCE}\n# end", [])

        await ada.saved()
        await bob.saved()
        cells = await docs.read(document, "cells", type="array")
        assert [cell["source"] for cell in cells] == [cell["source"] for cell in hers.get()["cells"]]

        await docs.snapshots.restore(document, kept.id)
        await ada.until(lambda: hers.cell_number == 2 and hers.get()["cells"][0]["source"] == SOURCE, PATIENCE_S)
        await bob.until(lambda: his.get() == hers.get(), PATIENCE_S)
        assert hers.get()["cells"][0]["outputs"][0]["text"] == "3.14\n"
