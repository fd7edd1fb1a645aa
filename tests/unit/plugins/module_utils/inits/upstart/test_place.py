# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

from ansible_collections.foster.init.plugins.module_utils.inits.upstart import place


def test_the_folders_are_those_that_the_init_names() -> None:
    state = {"conf_sources": [{"type": "CONF_FILE", "path": "/etc/init.conf"}, {"type": "CONF_JOB_DIR", "path": "/a"}]}
    assert place.job_folders(state, ["init", "--confdir", "/b"], {}, True) == ("/a",)


def test_an_init_that_does_not_say_has_those_of_its_command_line_or_of_its_rules() -> None:
    assert place.job_folders({}, ["init", "--confdir=/b"], {}, True) == ("/b",)
    assert place.job_folders({}, ["init", "--user", "--confdir", "/b", ""], {}, True) == ("/b",)
    assert place.job_folders({}, ["init"], {"XDG_CONFIG_HOME": "/c"}, False) == ("/etc/init",)
    assert place.job_folders({}, ["init"], {"XDG_CONFIG_HOME": "/c", "HOME": "/h"}, True) == ("/c/upstart", "/h/.init")
    assert place.job_folders({}, ["init"], {"HOME": "/h"}, True)[0] == "/h/.config/upstart"


def test_logs_are_where_the_init_writes_them() -> None:
    assert place.log_folder(["init", "--logdir", "/l"], {"UPSTART_LOGDIR": "/m"}, True) == "/l"
    assert place.log_folder(["init"], {"UPSTART_LOGDIR": "/m"}, False) == "/m"
    assert place.log_folder(["init"], {"XDG_CACHE_HOME": "/x"}, False) == "/var/log/upstart"
    assert place.log_folder(["init"], {"XDG_CACHE_HOME": "/x"}, True) == "/x/upstart"
    assert place.log_folder(["init"], {"HOME": "/h"}, True) == "/h/.cache/upstart"


def test_the_environment_of_the_init_counts_and_not_that_of_the_task(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cmdline").write_bytes(b"init\0--user\0")
    assert place.of_process(7, {"HOME": "/mine"}, str(tmp_path)) == (["init", "--user", ""], {"HOME": "/mine"})
    (tmp_path / "7" / "environ").write_bytes(b"HOME=/its\0XDG_CONFIG_HOME=/a=b\0")
    assert place.of_process(7, {}, str(tmp_path))[1] == {"HOME": "/its", "XDG_CONFIG_HOME": "/a=b"}


def test_a_job_is_changed_where_it_is_and_a_new_one_goes_into_the_first_folder(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    (second / "old.conf").write_text("exec true\n")
    folders = place.Folders([str(first), str(second)])
    assert folders.paths("old") == (f"{second}/old.conf", f"{second}/old.override")
    assert folders.paths("new") == (f"{first}/new.conf", f"{first}/new.override")
    assert folders.read("old").text == "exec true\n"
