# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter to_systemd_unit: a job becomes the text of a unit of systemd."""

from __future__ import annotations

DOCUMENTATION = """
name: to_systemd_unit
short_description: Write a job as a unit of systemd
version_added: 0.1.0
author:
  - The foster.init developers (@foster-init)
description:
  - Turns the options of a job, named as in M(foster.init.job), or the text of a job file, into the unit that
    M(foster.init.job) makes of it with O(foster.init.job#module:use=systemd).
  - What a unit cannot express is an error that names the stanza. C(docs/systemd.md) of the collection has the table.
  - A job with C(instance) becomes a template, whose file is to be called C(NAME@.service).
positional: _input
options:
  _input:
    description: The options of the job, or the text of its job file.
    type: raw
    required: true
  name:
    description: The name of the job.
    type: str
    required: true
  version:
    description: The version of systemd that the unit is for.
    type: int
    default: 247
  user:
    description: Whether it is for a user's systemd.
    type: bool
    default: false
seealso:
  - plugin: foster.init.to_job_file
    plugin_type: filter
  - module: foster.init.job
"""

EXAMPLES = """
- name: Write a unit
  ansible.builtin.copy:
    dest: /etc/systemd/system/web.service
    content: "{{ web_job | foster.init.to_systemd_unit(name='web') }}"
    mode: "0644"
  vars:
    web_job:
      start_on: startup
      exec: /usr/sbin/web --port $PORT
      env:
        PORT: 8080
      respawn: true
"""

RETURN = """
_value:
  description: The text of the unit.
  type: str
"""

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ..module_utils.job.errors import JobError
from ..module_utils.job.exporters.target import OLDEST, Target
from ..module_utils.job.exporters.unit import unit_text
from ..module_utils.job.names import check_name
from ..module_utils.job.options import job_from_options
from ..module_utils.job.parser import parse_job


def to_systemd_unit(job: Any, name: Any = None, version: int = OLDEST, user: bool = False) -> str:
    """Return the unit for ``job``, options or the text of a job file. Raises AnsibleFilterError."""
    if not isinstance(name, str):
        raise AnsibleFilterError("to_systemd_unit needs the name of the job, as in to_systemd_unit(name='web')")
    if not isinstance(job, (Mapping, str)):
        raise AnsibleFilterError("to_systemd_unit needs a dictionary with the options of a job, or a job file's text")
    try:
        check_name(name)
        parsed = parse_job(job, name, f"{name}.conf") if isinstance(job, str) else job_from_options(name, job)
        return unit_text(parsed, Target(int(version), bool(user)))
    except (JobError, ValueError) as error:
        raise AnsibleFilterError(f"to_systemd_unit: {error}") from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter."""
        return {"to_systemd_unit": to_systemd_unit}
