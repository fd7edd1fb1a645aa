# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor where the kernel, or a filter of system calls, does not let it become a subreaper."""

from __future__ import annotations

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "plugins"))

from module_utils.supervisor import linux

linux.become_subreaper = lambda: False

from module_utils.supervisor.main import main

sys.exit(main(sys.argv))
