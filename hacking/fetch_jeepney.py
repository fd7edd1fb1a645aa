# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch the jeepney that a bundle carries, for a Python that has none: once, into a cache, and always the same one."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path
from typing import Optional

VERSION = "0.9.0"
WHEEL = f"jeepney-{VERSION}-py3-none-any.whl"
DIGEST = "97e5714520c16fc0a45695e5365a2e11b81ea79bba796e26f9f1d178cb182683"  # SHA-256, as on the package index
_INDEX = "https://pypi.org/simple"
_TIMEOUT = 30  # seconds for one answer of the index


class CannotFetch(Exception):
    """jeepney is not to be had; the text is one sentence that says why and what to do."""


def package(cache: Path) -> Optional[Path]:
    """Return the package's folder below ``cache``, None where this Python has a jeepney. Raises CannotFetch."""
    if importlib.util.find_spec("jeepney") is not None:
        return None
    target = cache / f"jeepney-{VERSION}"
    if not target.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        # Unpacked beside its place and moved there whole: another build may be at it, or this one be interrupted.
        with tempfile.TemporaryDirectory(dir=cache, prefix=".jeepney-") as name:
            folder = Path(name)
            try:
                wheel = _by_pip(folder) if importlib.util.find_spec("pip") else _from_index(folder)
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                raise CannotFetch(
                    f"jeepney {VERSION}, which goes into the bundle, is not installed for {sys.executable} and cannot "
                    f"be fetched: {_reason(error)}; build where there is a network, or give --jeepney FOLDER"
                ) from error
            unpacked = folder / "unpacked"
            with zipfile.ZipFile(wheel) as packed:
                packed.extractall(unpacked)
            try:
                os.rename(unpacked, target)
            except OSError:
                if not target.is_dir():
                    raise
    return target / "jeepney"


def _by_pip(folder: Path) -> Path:
    """Let pip download the wheel, with its configuration: indexes, proxies, certificates. It installs nothing."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--retries", "1", "download"]
    options = ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), f"jeepney=={VERSION}"]
    subprocess.run([*command, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return _checked(folder / WHEEL)


def _from_index(folder: Path) -> Path:
    """Download the wheel from the index, where there is no pip, as on a Debian with python3 alone."""
    page = f"{os.environ.get('PIP_INDEX_URL', _INDEX).rstrip('/')}/jeepney/"
    with urllib.request.urlopen(page, timeout=_TIMEOUT) as answer:
        link = re.search(rf'href="([^"#]*{re.escape(WHEEL)})', answer.read().decode())
    if link is None:
        raise ValueError(f"{page} has no {WHEEL}")
    with urllib.request.urlopen(urllib.parse.urljoin(page, link[1]), timeout=_TIMEOUT) as answer:
        (folder / WHEEL).write_bytes(answer.read())
    return _checked(folder / WHEEL)


def _checked(wheel: Path) -> Path:
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != DIGEST:
        raise ValueError(f"what came as {WHEEL} has another SHA-256 than the one known")
    return wheel


def _reason(error: Exception) -> str:
    """Return the last thing that pip says, or the error itself."""
    said = (getattr(error, "stderr", None) or "").strip().splitlines()
    return said[-1] if said else str(getattr(error, "reason", None) or error)
