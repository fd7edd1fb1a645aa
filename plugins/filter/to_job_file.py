# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter to_job_file: a job's options in YAML become the text of its job file."""

from __future__ import annotations

DOCUMENTATION = """
name: to_job_file
short_description: Write a job's options as a job file
version_added: 0.1.0
author:
  - The foster.init developers (@foster-init)
description:
  - Turns the options of a job, named as in M(foster.init.job), into the text of a job file in Upstart's language.
  - The text is canonical. The same options always give the same text.
  - P(foster.init.from_job_file#filter) is the way back.
  - C(docs/job-language.md) of the collection has all stanzas and their options.
positional: _input
options:
  _input:
    description: The options, such as C(exec), C(env) or C(respawn).
    type: dict
    required: true
seealso:
  - plugin: foster.init.from_job_file
    plugin_type: filter
"""

EXAMPLES = """
- name: Write a job file
  ansible.builtin.copy:
    dest: /etc/foster/web.conf
    content: "{{ web_job | foster.init.to_job_file }}"
    mode: "0644"
  vars:
    web_job:
      exec: /usr/sbin/web --port $PORT
      env:
        PORT: 8080
      respawn: true
"""

RETURN = """
_value:
  description: The text of the job file.
  type: str
"""

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ..module_utils.job.errors import JobError
from ..module_utils.job.options import job_from_options
from ..module_utils.job.writer import write_job


def to_job_file(options: Any) -> str:
    """Return the job file that ``options`` stand for. Raises AnsibleFilterError."""
    if not isinstance(options, Mapping):
        raise AnsibleFilterError("to_job_file needs a dictionary with the options of a job")
    try:
        return write_job(job_from_options("job", options))
    except JobError as error:
        raise AnsibleFilterError(f"to_job_file: {error}") from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter."""
        return {"to_job_file": to_job_file}
