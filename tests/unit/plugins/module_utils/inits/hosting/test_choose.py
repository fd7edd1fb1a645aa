# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosting is chosen: by who PID 1 is, and never another one because somebody asked for it."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.inits import detect, probes
from ansible_collections.foster.init.plugins.module_utils.inits.errors import InitError
from ansible_collections.foster.init.plugins.module_utils.inits.hosting import choose
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.layout import SYSTEM
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.pid1 import PidOne
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.runit import Runit
from ansible_collections.foster.init.plugins.module_utils.inits.hosting.s6 import S6


def _is(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(detect, "describe", lambda _environ: detect.Detected(kind, "x", f"PID 1 is {kind}"))


def test_every_hosting_is_for_a_kind_that_is_detected() -> None:
    assert set(choose.HOSTS) <= set(probes.KINDS)


@pytest.mark.parametrize("kind", probes.KINDS)
def test_the_init_that_lives_hosts_and_without_one_nobody(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _is(monkeypatch, kind)
    monkeypatch.setattr(Runit, "found", classmethod(lambda cls, layout: cls(layout, "/etc/service")))
    monkeypatch.setattr(S6, "found", classmethod(lambda cls, layout: cls(layout, "/run/service")))
    expected = choose.HOSTS.get(kind, "none")
    assert choose.choose(SYSTEM).name == expected
    assert choose.choose(SYSTEM, "auto").name == expected
    assert choose.choose(SYSTEM, expected).name == expected
    assert choose.choose(SYSTEM, "none").name == "none"


def test_an_init_that_does_not_run_is_refused_with_who_does(monkeypatch: pytest.MonkeyPatch) -> None:
    _is(monkeypatch, "minder")
    with pytest.raises(InitError, match="runit cannot host the supervisor here: PID 1 is minder; leave the option"):
        choose.choose(SYSTEM, "runit")
    with pytest.raises(InitError, match="no hosting called launchd; choose one of"):
        choose.choose(SYSTEM, "launchd")


def test_a_user_has_a_systemd_of_its_own_or_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    _is(monkeypatch, "runit")
    user = SYSTEM._replace(user=True)
    monkeypatch.setattr(detect, "systemd", lambda user: 1 if user else None)
    assert choose.choose(user).name == "systemd"
    monkeypatch.setattr(detect, "systemd", lambda user: None)
    assert choose.choose(user).name == "none"
    with pytest.raises(InitError, match="no systemd of this user answers"):
        choose.choose(user, "systemd")


def test_pid_1_itself_is_never_stopped() -> None:
    hosting = PidOne(SYSTEM)
    hosting.verify()
    for act in (lambda: hosting.verify(removing=True), lambda: hosting.stop(False), hosting.remove):
        with pytest.raises(InitError, match="PID 1 of this container"):
            act()
