# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter from_supervisord: the programs of a supervisord configuration become jobs."""

from __future__ import annotations

DOCUMENTATION = """
name: from_supervisord
short_description: Read the programs of supervisord as jobs
version_added: 0.1.0
author:
  - The foster.init developers (@foster-init)
description:
  - Turns the programs of a supervisord configuration into a list of jobs for M(foster.init.jobs).
  - A program with several processes becomes several jobs.
positional: _input
options:
  _input:
    description: The text of the configuration.
    type: str
    required: true
  with_lost:
    description: Whether each job also has V(lost), a list of what could not be carried over.
    type: bool
    default: false
seealso:
  - plugin: foster.init.from_systemd_unit
    plugin_type: filter
  - module: foster.init.jobs
"""

EXAMPLES = """
- name: Run what supervisord has run
  foster.init.jobs:
    owner: shop
    jobs: "{{ lookup('ansible.builtin.file', 'shop.conf') | foster.init.from_supervisord }}"
"""

RETURN = """
_value:
  description: The jobs, each with C(name) and C(definition).
  type: list
  elements: dict
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ..module_utils.job.errors import JobError
from ..module_utils.job.importers.imported import Around
from ..module_utils.job.importers.supervisord import import_programs
from ..plugin_utils.filters import as_job, check_texts


def from_supervisord(text: Any, with_lost: bool = False) -> list[dict[str, Any]]:
    """Return the jobs that the configuration ``text`` stands for. Raises AnsibleFilterError."""
    check_texts("from_supervisord", "the text of a configuration of supervisord", text)
    try:
        return [as_job(each, with_lost) for each in import_programs("", text, Around())]
    except JobError as error:
        raise AnsibleFilterError(f"from_supervisord: {error}") from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter."""
        return {"from_supervisord": from_supervisord}
