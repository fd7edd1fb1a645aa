# SPDX-License-Identifier: GPL-3.0-or-later
"""A Python without jeepney gets one for the bundle: from an index that is a dictionary."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import zipfile
from pathlib import Path
from types import ModuleType
from urllib.error import URLError

import pytest

SOURCE = Path(__file__).resolve().parents[3] / "hacking" / "fetch_jeepney.py"


class Index(dict[str, bytes]):
    """Pages by their address; ``asked`` is what was looked at."""

    asked: list[str]

    def open(self, address: str, timeout: float) -> io.BytesIO:
        self.asked.append(address)
        if address not in self:
            raise URLError("no network")
        return io.BytesIO(self[address])


@pytest.fixture
def fetch(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program's own module, in a Python that has neither jeepney nor pip."""
    spec = importlib.util.spec_from_file_location("foster_fetch_jeepney", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple/")
    return module


@pytest.fixture
def index(fetch: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Index:
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("jeepney/__init__.py", "__version__ = '9'\n")
    monkeypatch.setattr(fetch, "DIGEST", hashlib.sha256(wheel.getvalue()).hexdigest())
    page = f'<a href="../../files/{fetch.WHEEL}#sha256=x">{fetch.WHEEL}</a>'
    made = Index({"https://index.example/simple/jeepney/": page.encode()})
    made[f"https://index.example/files/{fetch.WHEEL}"] = wheel.getvalue()
    made.asked = []
    monkeypatch.setattr(fetch.urllib.request, "urlopen", made.open)
    return made


def test_it_is_fetched_once(fetch: ModuleType, index: Index, tmp_path: Path) -> None:
    folder = fetch.package(tmp_path / "cache")
    assert (folder / "__init__.py").read_text() == "__version__ = '9'\n"
    index.clear()
    assert fetch.package(tmp_path / "cache") == folder
    assert len(index.asked) == 2


def test_one_that_is_installed_is_used(fetch: ModuleType, index: Index, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(fetch.importlib.util, "find_spec", lambda name: object() if name == "jeepney" else None)
    assert fetch.package(tmp_path / "cache") is None
    assert index.asked == []


def test_without_a_network_one_sentence_says_what_to_do(fetch: ModuleType, index: Index, tmp_path: Path) -> None:
    index.clear()
    with pytest.raises(fetch.CannotFetch, match=r"cannot be fetched: no network; build where there is a network, or"):
        fetch.package(tmp_path / "cache")


def test_another_file_by_that_name_is_refused(fetch: ModuleType, index: Index, tmp_path: Path) -> None:
    index[f"https://index.example/files/{fetch.WHEEL}"] += b"more"
    with pytest.raises(fetch.CannotFetch, match="another SHA-256"):
        fetch.package(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
