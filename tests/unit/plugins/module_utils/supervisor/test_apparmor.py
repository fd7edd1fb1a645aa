# SPDX-License-Identifier: GPL-3.0-or-later
"""AppArmor is used where the kernel has it enabled and the program that loads profiles is here."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.supervisor import apparmor


@pytest.mark.parametrize(
    ("enabled", "parser", "available"),
    [("Y\n", True, True), ("N\n", True, False), ("Y\n", False, False), (None, True, False)],
)
def test_it_takes_a_kernel_that_has_it_and_the_parser(monkeypatch, tmp_path, enabled, parser, available):
    if enabled is not None:
        (tmp_path / "enabled").write_text(enabled)
    if parser:
        (tmp_path / "parser").touch(mode=0o755)
    monkeypatch.setattr(apparmor, "_ENABLED", str(tmp_path / "enabled"))
    monkeypatch.setattr(apparmor, "PARSER", str(tmp_path / "parser"))
    assert apparmor.available() is available
