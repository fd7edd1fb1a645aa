# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter from_systemd_unit: a service of systemd becomes a job."""

from __future__ import annotations

DOCUMENTATION = """
name: from_systemd_unit
short_description: Read a service of systemd as jobs
version_added: 0.1.0
author:
  - The foster.init developers (@foster-init)
description:
  - Turns the text of a service unit into a list of jobs for M(foster.init.jobs). The first is the service, the second
    its C(NAME/reload), where a reload is a command.
  - On a host, M(foster.init.service) does the same with the unit of a package, and knows what the host allows.
positional: _input
options:
  _input:
    description: The text of the unit.
    type: str
    required: true
  name:
    description: The name of the service, as V(web) or V(web@instance).
    type: str
    required: true
  drop_ins:
    description: The texts of its drop-ins, in their order.
    type: list
    elements: str
    default: []
  with_lost:
    description: Whether the first job also has V(lost), a list of what could not be carried over.
    type: bool
    default: false
seealso:
  - module: foster.init.service
  - module: foster.init.jobs
"""

EXAMPLES = """
- name: Run our own unit where there is no systemd
  foster.init.jobs:
    owner: shop
    jobs: "{{ lookup('ansible.builtin.file', 'web.service') | foster.init.from_systemd_unit('web') }}"
"""

RETURN = """
_value:
  description: The jobs, each with C(name) and C(definition).
  type: list
  elements: dict
"""

from collections.abc import Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ..module_utils.job.errors import JobError
from ..module_utils.job.importers.imported import Around
from ..module_utils.job.importers.systemd import import_unit
from ..module_utils.job.options import options_from_job
from ..plugin_utils.filters import as_job, check_texts


def from_systemd_unit(
    text: Any, name: str, drop_ins: Sequence[str] = (), with_lost: bool = False
) -> list[dict[str, Any]]:
    """Return the jobs that the unit ``text`` stands for. Raises AnsibleFilterError."""
    check_texts("from_systemd_unit", "the text of a unit and its name", text, name)
    each_drop_in = drop_ins if isinstance(drop_ins, (list, tuple)) else (None,)
    check_texts("from_systemd_unit", "a list of the texts of drop-ins", *each_drop_in)
    name = name[: -len(".service")] if name.endswith(".service") else name
    texts = [(f"{name}.service", text), *((f"drop-in {n}", each) for n, each in enumerate(drop_ins, 1))]
    try:
        found = import_unit(name, texts, Around())
    except JobError as error:
        raise AnsibleFilterError(f"from_systemd_unit: {error}") from error
    jobs = [as_job(found, with_lost)]
    if found.reload is not None:
        reload = {"name": found.reload.name, "definition": options_from_job(found.reload), "state": "present"}
        jobs.append(reload)
    return jobs


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter."""
        return {"from_systemd_unit": from_systemd_unit}
