#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: event
short_description: Emit an event that jobs start and stop on
version_added: 0.1.0
author:
  - The foster.init developers (@foster-init)
description:
  - Emits an event to the supervisor. Jobs whose C(start on) or C(stop on) it completes are started and stopped by the
    supervisor.
  - By default the task waits until the event has finished. That is when the tasks that it started have ended, the
    services that it started are ready, and what it stopped is gone.
  - An event fails when a task that it started fails, or a service that cannot be started. Then the task fails and
    says which job it was and how it failed.
extends_documentation_fragment:
  - foster.init.attributes
  - foster.init.attributes.action_group
  - foster.init.scope
attributes:
  check_mode:
    support: full
    details: >-
      Emits nothing. The supervisor says what the event would start and stop if every start succeeded, and every task
      did.
  diff_mode:
    support: full
    details: Shows the goal of each job that is started or stopped.
  idempotent:
    support: partial
    details: >-
      Each run emits the event. It reports C(changed=false) when the event moves no job, as a second run does where all
      jobs that it starts are services that run on.
options:
  name:
    description:
      - The name of the event, such as V(deployed).
    type: str
    required: true
  env:
    description:
      - Variables of the event, which C(start on) and C(stop on) can match, and which the jobs get in their
        environment.
      - Their order counts where a condition matches by position.
    type: dict
    default: {}
  wait:
    description:
      - Whether to wait until the event has finished.
      - With V(false) the task returns what the event has begun, and cannot tell what fails later.
    type: bool
    default: true
  timeout:
    description:
      - How many seconds to wait. When they are over the task fails and says who holds the event, which goes on.
    type: float
    default: 60
seealso:
  - module: foster.init.job
  - module: foster.init.job_info
"""

EXAMPLES = r"""
- name: Tell the host that a release was deployed
  foster.init.event:
    name: deployed
    env:
      RELEASE: "2026.11"
      TIER: web
  register: deployed

- name: Show what that started
  ansible.builtin.debug:
    msg: "{{ deployed.started | map(attribute='job') | join(', ') }}"

- name: Start a long migration and go on
  foster.init.event:
    name: migrate
    wait: false

- name: Ask what would happen
  foster.init.event:
    name: maintenance
  check_mode: true
  register: foreseen
"""

RETURN = r"""
started:
  description:
    - The instances that the event started, in order, directly or by way of the events of jobs that it moved.
    - In check mode those that it would start.
  returned: when the event has finished, in check mode, and with O(wait=false)
  type: list
  elements: dict
  contains:
    job:
      description: The name of the job.
      type: str
      returned: always
    instance:
      description: The name of the instance, empty for a job that has only one.
      type: str
      returned: always
  sample: [{job: web, instance: ""}, {job: worker, instance: "1"}]
stopped:
  description: The instances that the event stopped, as in RV(started).
  returned: when the event has finished, in check mode, and with O(wait=false)
  type: list
  elements: dict
failures:
  description: Those of the instances that have failed, as in RV(started).
  returned: when the event has finished, in check mode, and with O(wait=false)
  type: list
  elements: dict
finished:
  description: >-
    Whether the event has finished. In check mode it is V(false) for an event that would be held, for example by a
    C(start on) of which it completes only a half.
  returned: when the event has finished, in check mode, and with O(wait=false)
  type: bool
held_by:
  description: Who keeps the event from finishing, and by what, its C(start on), its C(stop on) or its goal and state.
  returned: when the event has not finished within O(timeout)
  type: list
  elements: dict
  sample: [{job: migrate, instance: "", by: start/running}]
actions:
  description: What the event did to jobs, or in check mode would do.
  returned: success
  type: list
  elements: str
  sample: [start web, stop maintenance]
"""

from ansible_collections.foster.init.plugins.module_utils.ansible.emission import Emission, emit
from ansible_collections.foster.init.plugins.module_utils.ansible.errors import TaskError
from ansible_collections.foster.init.plugins.module_utils.ansible.installation import layout_of
from ansible_collections.foster.init.plugins.module_utils.ansible.job_options import variables
from ansible_collections.foster.init.plugins.module_utils.ansible.module import SCOPE, FosterModule
from ansible_collections.foster.init.plugins.module_utils.ansible.supervisor import Supervisor


def work(module: FosterModule) -> dict:
    """Emit the event and return what it moved."""
    given = module.params
    if not given["name"]:
        raise TaskError("name: an event needs a name, this one is empty.")
    for key in given["env"]:
        if not str(key) or "=" in str(key):
            raise TaskError(f"env: '{key}' cannot be the name of a variable; it must not be empty or contain '='.")
    env = variables(given["env"]) or {}
    supervisor = Supervisor.open(f"unix:path={layout_of(given['scope']).socket}")
    emission = Emission(given["name"], env, given["wait"], given["timeout"])
    difference, values = emit(emission, supervisor, module.check_mode)
    return {**values, **difference.result(module._diff)}


def main() -> None:
    """Entry point of the module."""
    FosterModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "env": {"type": "dict", "default": {}},
            "wait": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": 60},
            **SCOPE,
        },
        supports_check_mode=True,
    ).run(work)


if __name__ == "__main__":
    main()
