#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jobs
short_description: Bring a whole set of jobs to their state in one task
version_added: 0.1.0
author:
  - The foster.init developers (@foster-init)
description:
  - Defines, starts, stops and removes many jobs over one connection. A thousand take seconds, and about one second
    when nothing has to change.
  - With O(owner) the set is remembered. O(purge) then removes the jobs that an earlier run has brought and this one
    does not, and never touches any other.
  - A job that fails does not keep the others back, see O(on_failure). The task then fails and tells all of them.
extends_documentation_fragment:
  - foster.init.attributes
  - foster.init.attributes.action_group
  - foster.init.scope
  - foster.init.use
  - foster.init.use.handover
attributes:
  check_mode:
    support: full
    details: Predicts what a run does and sends nothing that changes anything.
  diff_mode:
    support: full
    details: Shows the job files and the states, before and after.
  idempotent:
    support: partial
    details: Not with a O(jobs[].state) of V(restarted) or V(reloaded), and not with V(started) for a task.
options:
  jobs:
    description:
      - The jobs. They are started together, at most O(at_once) at a time and in this order. A job that has to come
        after another says so with C(start on).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the job.
        type: str
        required: true
      definition:
        description:
          - The job as YAML, with the keys that O(foster.init.job#module:definition) has. Mutually exclusive with
            O(jobs[].content).
        type: dict
      content:
        description: The text of the job file.
        type: str
      override:
        description: The text of the C(.override) file. The empty string removes it.
        type: str
      state:
        description: As O(foster.init.job#module:state). O(state) where it is not given.
        type: str
        choices: [present, absent, started, stopped, restarted, reloaded]
      enabled:
        description: As O(foster.init.job#module:enabled).
        type: bool
      env:
        description: Variables for the start. For a job with the stanza C(instance) they select the instance.
        type: dict
      instances:
        description:
          - The variables of each instance that is meant, instead of O(jobs[].env). Other instances are left alone.
        type: list
        elements: dict
      on_change:
        description: As O(foster.init.job#module:on_change). O(on_change) where it is not given.
        type: str
        choices: [restart, reload, none]
  state:
    description: The state of the jobs that have none of their own.
    type: str
    choices: [present, absent, started, stopped, restarted, reloaded]
    default: started
  on_change:
    description: What happens to running instances when their definition is another one, see M(foster.init.job).
    type: str
    choices: [restart, reload, none]
    default: restart
  owner:
    description:
      - Whose set this is, such as the name of a role. It is written into the first line of each job file, as a comment.
      - A job that belongs to another owner is not taken over, that is a failure.
    type: str
  purge:
    description: Whether to stop and remove the jobs of O(owner) that are not in O(jobs).
    type: bool
    default: false
  on_failure:
    description:
      - V(continue) does everything that can be done, and fails at the end.
      - V(stop) changes nothing when a definition is wrong, and starts no more jobs after one that has failed.
    type: str
    choices: [continue, stop]
    default: continue
  at_once:
    description: How many jobs are started at once. With V(1) each waits for the one before it.
    type: int
    default: 64
  wait_timeout:
    description: How many seconds the starts of O(at_once) jobs may take together.
    type: float
    default: 60
  stay_up:
    description: As O(foster.init.job#module:stay_up), once for all.
    type: float
    default: 0.5
seealso:
  - module: foster.init.job
  - module: foster.init.job_info
"""

EXAMPLES = r"""
- name: The jobs of this application, and no others of it
  foster.init.jobs:
    owner: shop
    purge: true
    jobs:
      - name: shop/web
        definition:
          start_on: startup
          exec: /srv/shop/web --port 8000
          respawn: true
      - name: shop/worker
        definition:
          instance: $NUMBER
          exec: /srv/shop/worker $NUMBER
        instances: [{NUMBER: 1}, {NUMBER: 2}]
      - name: shop/report
        state: present
        content: |
          start on stopped shop/import
          task
          exec /srv/shop/report

- name: Units of systemd, on hosts without the supervisor
  foster.init.jobs:
    use: systemd
    owner: shop
    purge: true
    jobs:
      - name: shop-web
        definition:
          start_on: startup
          exec: /srv/shop/web --port 8000
          respawn: true
      - name: shop-mail
        definition:
          start_on: started shop-web
          stop_on: stopping shop-web
          exec: /srv/shop/mail

- name: All of them stopped for the night
  foster.init.jobs:
    state: stopped
    jobs: "{{ ['shop/web', 'shop/worker'] | map('community.general.dict_kv', 'name') }}"
"""

RETURN = r"""
init:
  description: Who runs the jobs, V(foster), V(systemd) or V(upstart), or the empty string where nobody does.
  returned: always
  type: str
  sample: systemd
init_reason:
  description: Why it is that one.
  returned: always
  type: str
  sample: no supervisor is here, and the systemd that is PID 1 answers (pid 1)
changed_jobs:
  description: The names of the jobs that were changed, or in check mode would be.
  returned: success
  type: list
  elements: str
removed_jobs:
  description: The names of the jobs that were removed, or in check mode would be.
  returned: success
  type: list
  elements: str
failures:
  description: What failed. Each with C(name) and C(msg), and with C(failure) as M(foster.init.job) returns it.
  returned: always
  type: list
  elements: dict
  sample: []
actions:
  description: What was done, or in check mode would be, in order. Empty when nothing had to change.
  returned: success
  type: list
  elements: str
"""

import os

from ansible_collections.foster.init.plugins.module_utils.ansible.choose import Elsewhere, choose, linger
from ansible_collections.foster.init.plugins.module_utils.ansible.converge import Request as JobRequest
from ansible_collections.foster.init.plugins.module_utils.ansible.difference import Difference
from ansible_collections.foster.init.plugins.module_utils.ansible.errors import TaskError
from ansible_collections.foster.init.plugins.module_utils.ansible.installation import layout_of
from ansible_collections.foster.init.plugins.module_utils.ansible.job_options import (
    ON_CHANGE,
    STATES,
    text_of,
    variables,
)
from ansible_collections.foster.init.plugins.module_utils.ansible.jobset import JobSet, Member, Request
from ansible_collections.foster.init.plugins.module_utils.ansible.module import HANDOVER, SCOPE, FosterModule
from ansible_collections.foster.init.plugins.module_utils.job.errors import JobError
from ansible_collections.foster.init.plugins.module_utils.job.names import check_name

SHOWN = 5  # failures that the message itself tells


def member(module: FosterModule, given: dict, folder: str, others: Elsewhere) -> Member:
    """Return one job of the set."""
    name = given["name"]
    check_name(name)
    try:
        text = text_of(name, given["definition"], given["content"])
    except JobError as error:
        raise TaskError(f"{name}: {error}") from error
    job = JobRequest(
        name=name,
        folder=folder,
        state=given["state"] or module.params["state"],
        text=text,
        override=given["override"],
        enabled=given["enabled"],
        env=variables(given["env"]),
        on_change=given["on_change"] or module.params["on_change"],
        wait_timeout=module.params["wait_timeout"],
        stay_up=module.params["stay_up"],
        check=module.check_mode,
        user=module.params["scope"] == "user",
        elsewhere=others.place(name),
    )
    return Member(job, tuple(variables(env) or {} for env in given["instances"] or ()))


def members(module: FosterModule, folder: str, others: Elsewhere) -> tuple[Member, ...]:
    """Return the jobs of the set; raise TaskError for two of the same name."""
    found = tuple(member(module, given, folder, others) for given in module.params["jobs"])
    names = [each.job.name for each in found]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise TaskError(f"jobs: {twice} is there twice; give its instances in one.")
    return found


def work(module: FosterModule) -> dict:
    """Bring the jobs to their states and return what the task returns."""
    given = module.params
    if given["purge"] and not given["owner"]:
        raise TaskError("purge: needs owner, to know which jobs it may remove.")
    if given["owner"] is not None and not (given["owner"].strip() and given["owner"].isprintable()):
        raise TaskError("owner: must be a word or words on one line.")
    if given["at_once"] < 1:
        raise TaskError("at_once: must be 1 or more.")
    layout = layout_of(given["scope"])
    chosen = choose(given["use"], layout, os.environ, given["transient"])
    request = Request(
        members=members(module, layout.jobs, Elsewhere(chosen.name, layout, os.environ)),
        folder=layout.jobs,
        owner=(given["owner"] or "").strip(),
        purge=given["purge"],
        at_once=given["at_once"],
        go_on=given["on_failure"] == "continue",
        stay_up=given["stay_up"],
        wait_timeout=given["wait_timeout"],
        check=module.check_mode,
        user=given["scope"] == "user",
    )
    difference = Difference()
    starts = any(each.job.state in ("started", "restarted") for each in request.members)
    if chosen.name == "systemd" and request.user and starts:
        linger(given["linger"], request.check, difference)
    result = JobSet(request, chosen.open, difference).run()
    for warning in result.warnings:
        module.warn(warning)
    returned = {
        "changed_jobs": result.changed,
        "removed_jobs": result.removed,
        "failures": result.failures,
        "init": chosen.name,
        "init_reason": chosen.reason,
        **result.difference.result(module._diff),
    }
    if result.failures:
        count, total = len(result.failures), len(request.members)
        told = " ".join(each["msg"] for each in result.failures[:SHOWN])
        more = f" The other {count - SHOWN} are in failures." if count > SHOWN else ""
        raise TaskError(f"{count} of {total} jobs failed. {told}{more}", **returned)
    return returned


def main() -> None:
    """Entry point of the module."""
    FosterModule(
        argument_spec={
            "jobs": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "definition": {"type": "dict"},
                    "content": {"type": "str"},
                    "override": {"type": "str"},
                    "state": {"type": "str", "choices": STATES},
                    "enabled": {"type": "bool"},
                    "env": {"type": "dict"},
                    "instances": {"type": "list", "elements": "dict"},
                    "on_change": {"type": "str", "choices": ON_CHANGE},
                },
                "mutually_exclusive": [("definition", "content"), ("env", "instances")],
            },
            "state": {"type": "str", "choices": STATES, "default": "started"},
            "on_change": {"type": "str", "choices": ON_CHANGE, "default": "restart"},
            "owner": {"type": "str"},
            "purge": {"type": "bool", "default": False},
            "on_failure": {"type": "str", "choices": ["continue", "stop"], "default": "continue"},
            "at_once": {"type": "int", "default": 64},
            "wait_timeout": {"type": "float", "default": 60},
            "stay_up": {"type": "float", "default": 0.5},
            **HANDOVER,
            **SCOPE,
        },
        supports_check_mode=True,
    ).run(work)


if __name__ == "__main__":
    main()
