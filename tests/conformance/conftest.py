# SPDX-License-Identifier: GPL-3.0-or-later
"""Play the selected cases side by side, each once, and hand the traces to the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Callable

import pytest

_HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(_HERE))

from runner import case, compare, play, session, trace

# Most of a case is waiting; but with too many at once each of them has to be played slower.
_WORKERS = int(os.environ.get("FOSTER_CONFORMANCE_WORKERS", 3 * min(os.cpu_count() or 1, 8)))
Recording = Callable[[case.Case], trace.Trace]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The supervisor and its client: the two variables, or else a fresh build from the working tree."""
    init, client = (os.environ.get(f"FOSTER_CONFORMANCE_{name}") for name in ("INIT", "CLIENT"))
    if init and client:
        return init, client
    folder = tmp_path_factory.mktemp("build")
    build = [sys.executable, str(_HERE.parent.parent / "hacking" / "build"), "--output", str(folder)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"hacking/build failed: {done.stdout}{done.stderr}")
    return init or str(folder / "fosterd"), client or str(folder / "fosterctl")


@pytest.fixture(scope="session")
def recording(
    request: pytest.FixtureRequest, programs: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recording]:
    """A function that returns the trace of a case of this session; the cases are played ahead, in parallel."""
    init, client = programs
    forker = session.build_forker(_HERE / "forker.c", tmp_path_factory.mktemp("forker"))

    def run(chosen: case.Case) -> trace.Trace:
        """Play a case; where the clients of that run were too slow for its pace, it proves nothing: again, slower."""
        stretch = session.stretch_for(session.client_seconds(client))
        while True:
            place = session.Session(chosen.folder / "conf", init, client, forker, stretch)
            try:
                player = play.Player(chosen, place)
                ours = player.play()
            finally:
                place.close()
            needed = session.stretch_for(player.latency)
            if needed <= stretch or not compare.found(chosen, ours):
                return ours
            stretch = needed

    chosen = [item.callspec.params["chosen"] for item in request.session.items if "recording" in item.fixturenames]
    with ThreadPoolExecutor(_WORKERS) as pool:
        futures: dict[str, Future[trace.Trace]] = {each.name: pool.submit(run, each) for each in chosen}
        yield lambda wanted: futures[wanted.name].result()
        for future in futures.values():
            future.cancel()
