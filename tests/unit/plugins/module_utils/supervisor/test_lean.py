# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor runs without the module inspect, and whoever asks for it gets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[5] / "plugins"


def run(code: str) -> str:
    """Return what a fresh Python prints that has nothing imported but the stand-in."""
    begin = f"import sys; sys.path.insert(0, {str(PLUGINS)!r})\n"
    begin += "from module_utils.supervisor.lean import spare_inspect; spare_inspect()\n"
    done = subprocess.run([sys.executable, "-IS", "-c", begin + code], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def test_the_supervisor_does_not_load_inspect() -> None:
    """A dataclass without a docstring would: dataclasses writes one, with the signature in it."""
    loaded = run(
        "def loads(self): raise AssertionError('inspect is used')\n"
        "type(sys.modules['inspect'])._real = loads\n"
        "import module_utils.supervisor.main\n"
        "print([name for name in ('ast', 'dis', 'tokenize') if name in sys.modules])"
    )
    assert loaded == "[]"


def test_who_uses_inspect_gets_the_real_one() -> None:
    told = run(
        "import inspect, dataclasses\n"
        "@dataclasses.dataclass\n"
        "class Point:\n"
        "    x: int\n"
        "    y: int = 0\n"
        "print(Point.__doc__, inspect.signature(Point), inspect.isfunction(run := lambda: 0))\n"
        "print(type(sys.modules['inspect']).__name__)"
    )
    assert told.splitlines() == ["Point(x: int, y: int = 0) (x: int, y: int = 0) -> None True", "module"]


def test_annotations_are_what_inspect_says() -> None:
    code = (
        "class Base:\n"
        "    x: int\n"
        "class Bare(Base): pass\n"
        "def function(a: str): pass\n"
        "import inspect\n"
        "if sys.version_info >= (3, 10):\n"
        "    light = [inspect.get_annotations(each) for each in (Base, Bare, function)]\n"
        "    del sys.modules['inspect']\n"
        "    import inspect\n"
        "    assert light == [inspect.get_annotations(each) for each in (Base, Bare, function)], light\n"
        "print('same')"
    )
    assert run(code) == "same"
