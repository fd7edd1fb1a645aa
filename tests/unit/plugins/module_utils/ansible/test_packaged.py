# SPDX-License-Identifier: GPL-3.0-or-later
"""What packages bring is found below a root folder of its own."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.ansible.errors import TaskError
from ansible_collections.foster.init.plugins.module_utils.ansible.packaged import Packages

UNITS = "lib/systemd/system"
UNIT = "[Service]\nExecStart=/bin/x\n"


@pytest.fixture
def host(tmp_path):
    """Put files (path to text, to a link's target after ->, None: a script) below the root, and find there."""

    def make(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is not None and text.startswith("-> "):
                path.symlink_to(text[3:])
            elif text is None:
                path.write_text(f"#!/bin/sh\n# Provides: other {path.name}\n")
                path.chmod(0o755)
            else:
                path.write_text(text)
        return Packages(str(tmp_path))

    return make


def paths(texts) -> list[str]:
    return [path for path, _text in texts]


@pytest.mark.parametrize("asked", ["ssh", "ssh.service", "sshd", "sshd.service", "openssh"])
def test_a_unit_is_found_by_its_name_and_its_aliases(host, asked):
    found = host(
        {
            f"{UNITS}/ssh.service": UNIT + "[Install]\nAlias=a.service openssh.service\n",
            "etc/systemd/system/sshd.service": f"-> /{UNITS}/ssh.service",
        }
    ).find(asked)
    assert (found.name, found.kind, found.path) == ("ssh", "unit", f"/{UNITS}/ssh.service")


def test_a_name_is_no_alias_of_one_that_ends_like_it(host):
    assert host({f"{UNITS}/a.service": UNIT + "[Install]\nAlias=my-web.service\n"}).find("web") is None


def test_an_instance_of_a_template(host):
    packages = host({f"{UNITS}/pg@.service": UNIT, "etc/systemd/system/pg@15-main.service.d/a.conf": "[Service]\n"})
    found = packages.find("pg@15-main")
    assert (found.name, paths(found.texts)) == (
        "pg@15-main",
        [f"/{UNITS}/pg@.service", "/etc/systemd/system/pg@15-main.service.d/a.conf"],
    )
    assert packages.find("pg") is None


def test_the_unit_of_the_admin_comes_first_and_drop_ins_count_by_their_names(host):
    found = host(
        {
            f"{UNITS}/a-b.service": UNIT,
            "etc/systemd/system/a-b.service": UNIT,
            f"{UNITS}/a-b.service.d/20.conf": "[Service]\n",
            "etc/systemd/system/a-b.service.d/10.conf": "[Service]\n",
            "etc/systemd/system/a-.service.d/30.conf": "[Service]\n",
            f"{UNITS}/service.d/05.conf": "[Service]\n",
            "etc/systemd/system/a-b.service.d/20.conf": "-> /dev/null",
        }
    ).find("a-b")
    assert paths(found.texts) == [
        "/etc/systemd/system/a-b.service",
        f"/{UNITS}/service.d/05.conf",
        "/etc/systemd/system/a-b.service.d/10.conf",
        "/etc/systemd/system/a-.service.d/30.conf",
    ]


@pytest.mark.parametrize("mask", ["-> /dev/null", ""])
def test_a_masked_unit_is_refused(host, mask):
    packages = host({f"{UNITS}/a.service": UNIT, "etc/systemd/system/a.service": mask, "etc/init.d/a": None})
    with pytest.raises(TaskError, match=r"a\.service: is masked by .*/etc/systemd/system/a\.service"):
        packages.find("a")


@pytest.mark.parametrize("asked", ["a.socket", "a.timer", "../a", "a/b", ".service", ""])
def test_a_name_that_is_no_service_is_refused(host, asked):
    with pytest.raises(TaskError):
        host({f"{UNITS}/a.socket": ""}).find(asked)


def test_a_script_where_there_is_no_unit_and_by_what_it_provides(host):
    packages = host({"etc/init.d/web": None, "etc/init.d/README": "x", "etc/rc3.d/S01web": "-> ../init.d/web"})
    assert [packages.find(name).name for name in ("web", "other")] == ["web", "web"]
    assert (packages.find("web").kind, packages.find("web").enabled) == ("script", True)
    assert packages.find("README") is None


def test_a_script_instead_of_a_unit_that_only_stands_for_others(host):
    stand_in = "[Service]\nType=oneshot\nExecStart=/bin/true\nRemainAfterExit=on\n"
    files = {f"{UNITS}/pg.service": stand_in, "etc/init.d/pg": None}
    files["etc/systemd/system/multi-user.target.wants/pg.service"] = f"-> /{UNITS}/pg.service"
    found = host(files).find("pg")
    assert (found.kind, found.enabled) == ("script", True)


@pytest.mark.parametrize("listed", [f"/{UNITS}/a.service", f"/usr/{UNITS}/a.service"])
def test_the_tmpfiles_of_its_package_belong_to_it(host, listed):
    found = host(
        {
            f"{UNITS}/a.service": UNIT,
            "usr/lib/tmpfiles.d/a-server.conf": "d /run/a\n",
            "usr/lib/tmpfiles.d/b.conf": "d /run/b\n",
            "etc/tmpfiles.d/a.conf": "d /run/c\n",
            "var/lib/dpkg/info/a.list": f"/.\n{listed}\n/usr/lib/tmpfiles.d/a-server.conf\n",
            "var/lib/dpkg/info/b.list": "/usr/lib/tmpfiles.d/b.conf\n",
        }
    ).find("a")
    assert paths(found.tmpfiles) == ["/usr/lib/tmpfiles.d/a-server.conf", "/etc/tmpfiles.d/a.conf"]


def test_links_that_lead_in_a_circle_are_no_unit(host):
    packages = host({f"{UNITS}/a.service": f"-> /{UNITS}/b.service", f"{UNITS}/b.service": f"-> /{UNITS}/a.service"})
    assert packages.find("a") is None


def test_all_names_for_who_has_mistyped_one(host):
    assert host({f"{UNITS}/a.service": UNIT, "etc/init.d/b": None, "etc/init.d/c": "x"}).names() == ["a", "b"]
