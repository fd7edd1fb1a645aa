# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter from_job_file: the text of a job file becomes the job's options in YAML."""

from __future__ import annotations

DOCUMENTATION = """
name: from_job_file
short_description: Read a job file into a job's options
version_added: 0.1.0
author:
  - The foster.init developers (@foster-init)
description:
  - Turns the text of a job file in Upstart's language into the options of a job, named as in M(foster.init.job).
  - Only what differs from the defaults is returned. Comments are not kept.
positional: _input
options:
  _input:
    description: The text of the job file.
    type: str
    required: true
  override:
    description: The text of the C(.override) file that is read after it.
    type: str
seealso:
  - plugin: foster.init.to_job_file
    plugin_type: filter
"""

EXAMPLES = """
- name: Show the old job as options
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.file', 'web.conf') | foster.init.from_job_file }}"
"""

RETURN = """
_value:
  description: The options of the job.
  type: dict
"""

from typing import Any, Callable, Optional

from ansible.errors import AnsibleFilterError

from ..module_utils.job.errors import JobError
from ..module_utils.job.options import options_from_job
from ..module_utils.job.parser import parse_job


def from_job_file(text: Any, override: Optional[str] = None) -> dict[str, Any]:
    """Return the options that the job file ``text`` stands for. Raises AnsibleFilterError."""
    if not isinstance(text, str):
        raise AnsibleFilterError("from_job_file needs the text of a job file")
    try:
        return options_from_job(parse_job(text, "job", "", override, "override"))
    except JobError as error:
        raise AnsibleFilterError(f"from_job_file: {error}") from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter."""
        return {"from_job_file": from_job_file}
