# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor as on Linux before 6.15, where a pidfd does not tell how its process ended."""

from __future__ import annotations

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "plugins"))

from module_utils.supervisor import pidfd

pidfd.tells_exits = lambda: False

from module_utils.supervisor.main import main

sys.exit(main(sys.argv))
