# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs a job where the task does not say, and where it is refused because another init has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.foster.init.plugins.module_utils.ansible import choose
from ansible_collections.foster.init.plugins.module_utils.ansible.errors import NoSupervisor, TaskError
from ansible_collections.foster.init.plugins.module_utils.inits.detect import Answer, Detected
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.layout import SYSTEM, Layout

FOSTER = Answer("foster", "system", "unix:path=/f", 7)
SYSTEMD = Answer("systemd", "system", "unix:path=/s", 1)
UPSTART = Answer("upstart", "system", "unix:abstract=/u", 1)
SESSION = Answer("upstart", "user", "unix:abstract=/session", 9)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return SYSTEM._replace(library=str(tmp_path / "library"), jobs=str(tmp_path / "jobs"))


def chosen(monkeypatch: pytest.MonkeyPatch, layout: Layout, *answers: Answer) -> choose.Chosen:
    monkeypatch.setattr(choose.detect, "describe", lambda _environ: Detected("other", "x", "PID 1 is x", answers))
    return choose.choose("auto", layout, {})


def test_an_upstart_that_answers_is_taken_where_nobody_better_is(
    monkeypatch: pytest.MonkeyPatch, layout: Layout
) -> None:
    found = chosen(monkeypatch, layout, UPSTART)
    assert found.name == "upstart"
    assert found.reason == "no supervisor is here, and the Upstart that is PID 1 answers (pid 1)"
    assert chosen(monkeypatch, layout, SYSTEMD, UPSTART).name == "systemd"
    assert chosen(monkeypatch, layout, FOSTER, UPSTART).name == "foster"
    assert chosen(monkeypatch, layout._replace(user=True), SESSION, UPSTART).name == "upstart"


def test_a_supervisor_that_is_installed_comes_before_upstart(monkeypatch: pytest.MonkeyPatch, layout: Layout) -> None:
    Path(layout.fosterd).parent.mkdir()
    Path(layout.fosterd).write_text("")
    assert chosen(monkeypatch, layout, UPSTART).name == "foster"


@pytest.mark.parametrize("answers", [(), (UPSTART._replace(problem="it refuses"),), (SESSION,)])
def test_where_nobody_answers_the_task_is_told_what_to_do(
    answers: tuple[Answer, ...], monkeypatch: pytest.MonkeyPatch, layout: Layout
) -> None:
    found = chosen(monkeypatch, layout, *answers)
    assert found.name == ""
    with pytest.raises(
        NoSupervisor, match=r"no systemd or Upstart to hand jobs over to \(PID 1 is x\); apply the role"
    ):
        found.open()


def test_nothing_of_upstart_is_transient(layout: Layout) -> None:
    with pytest.raises(TaskError, match="use: systemd, not upstart"):
        choose.choose("upstart", layout, {}, runtime=True)


def test_a_job_that_upstart_has_is_found_where_upstart_lives(
    monkeypatch: pytest.MonkeyPatch, layout: Layout, tmp_path: Path
) -> None:
    monkeypatch.setattr(choose, "SYSTEM_JOBS", str(tmp_path / "init"))
    (tmp_path / "init").mkdir()
    path = tmp_path / "init" / "web.conf"
    path.write_text("exec true\n")
    monkeypatch.setattr(choose.detect, "upstart", lambda: 1)
    assert choose.Elsewhere("foster", layout, {}).place("web") == str(path)
    assert choose.Elsewhere("systemd", layout, {}).place("web") == str(path)
    assert choose.Elsewhere("upstart", layout, {}).place("web") == ""
    assert choose.Elsewhere("foster", layout, {}).place("other") == ""
    monkeypatch.setattr(choose.detect, "upstart", lambda: None)  # what a package left there runs nowhere
    assert choose.Elsewhere("foster", layout, {}).place("web") == ""
