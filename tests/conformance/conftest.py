# SPDX-License-Identifier: GPL-3.0-or-later
"""Play the selected cases side by side, each once, and hand the traces to the tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Callable

import pytest

_HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(_HERE))

from runner import case, play, session, trace

_WORKERS = int(os.environ.get("FOSTER_CONFORMANCE_WORKERS", "2"))  # most of a case is waiting
Recording = Callable[[case.Case], trace.Trace]


def _program(variable: str, name: str) -> str:
    """Return what to test: `variable`, else the built program, else the one that runs from the working tree."""
    repository = _HERE.parent.parent
    candidates = [repository / "build" / name, repository / "hacking" / name]
    found = os.environ.get(variable) or next((str(path) for path in candidates[::-1] if path.exists()), "")
    if not found:
        pytest.skip(f"neither hacking/{name} nor build/{name} is there, nor does {variable} name one")
    return found


@pytest.fixture(scope="session")
def recording(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    """A function that returns the trace of a case of this session; the cases are played ahead, in parallel."""
    init = _program("FOSTER_CONFORMANCE_INIT", "fosterd")
    client = _program("FOSTER_CONFORMANCE_CLIENT", "fosterctl")
    forker = session.build_forker(_HERE / "forker.c", tmp_path_factory.mktemp("forker"))

    def run(chosen: case.Case) -> trace.Trace:
        place = session.Session(chosen.folder / "conf", init, client, forker)
        try:
            return play.Player(chosen, place).play()
        finally:
            place.close()

    chosen = [item.callspec.params["chosen"] for item in request.session.items if "recording" in item.fixturenames]
    with ThreadPoolExecutor(_WORKERS) as pool:
        futures: dict[str, Future[trace.Trace]] = {each.name: pool.submit(run, each) for each in chosen}
        yield lambda wanted: futures[wanted.name].result()
        for future in futures.values():
            future.cancel()
