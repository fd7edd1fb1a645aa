#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: job
short_description: Define, start and stop a job outside of the login session
version_added: 0.1.0
author:
  - The foster.init developers (@foster-init)
description:
  - Writes a job down and brings it to a state. The job is never a child of the task, it is started by the
    supervisor, or by the host's own init (see O(use)). So it does not end with the task, the connection or the login
    session.
  - The task waits until the job is ready, or has failed. Then it says which process failed and how, and what it
    wrote last.
  - A start that would leave the daemon under the login session fails.
extends_documentation_fragment:
  - foster.init.attributes
  - foster.init.attributes.action_group
  - foster.init.scope
  - foster.init.use
  - foster.init.use.handover
  - foster.init.definition
attributes:
  check_mode:
    support: full
    details: Predicts what a run does and sends nothing that changes anything.
  diff_mode:
    support: full
    details: Shows the job file and the state, before and after.
  idempotent:
    support: partial
    details: >-
      Not with O(state=restarted) and O(state=reloaded), and not with O(state=started) for a task, which ends by
      itself and runs again each time.
options:
  name:
    description:
      - The name of the job, such as V(web). With slashes it lies in a folder below the job folder, such as V(net/web).
    type: str
    required: true
  content:
    description:
      - The text of the job file, in Upstart's language. Mutually exclusive with O(definition) and O(src).
    type: str
  src:
    description:
      - The path of a job file on the target, whose text is taken. Mutually exclusive with O(definition) and
        O(content).
    type: path
  override:
    description:
      - The text of the job's C(.override) file, whose stanzas replace those of the job. The empty string removes the
        file.
      - Without this option the file is left alone, but see O(enabled).
    type: str
  state:
    description:
      - V(present) defines the job and leaves its instances alone.
      - V(absent) stops all its instances and removes the definition.
      - V(started) defines the job where a definition is given, and starts it if it does not run. See O(on_change).
      - V(stopped) stops it. For a job with instances it stops all of them, unless O(env) selects one.
      - V(restarted) replaces the process, or starts it if it does not run.
      - V(reloaded) sends the reload signal. It never starts a job that does not run.
    type: str
    choices: [present, absent, started, stopped, restarted, reloaded]
    default: started
  env:
    description:
      - Variables for the start. For a job with the stanza C(instance) they select the instance.
    type: dict
  enabled:
    description:
      - Whether the job's C(start on) is in force. V(false) puts the stanza C(manual) into the C(.override) file,
        V(true) takes it out. Without this option nothing is touched.
    type: bool
  on_change:
    description:
      - What happens with O(state=started) to instances that run already when the definition is another one.
      - V(restart) replaces instances that were started with another definition than the one that is in force now.
        They are stopped and started again, all of them, because they share the definition.
      - V(reload) sends the reload signal when this task changes the definition.
      - V(none) lets them run as they are.
    type: str
    choices: [restart, reload, none]
    default: restart
  wait_timeout:
    description:
      - How many seconds to wait for a start or a stop.
    type: float
    default: 60
  stay_up:
    description:
      - How many seconds a main process has to run on after a start, where the job has no C(expect) that tells when it
        is ready. A process that ends sooner makes the task fail. Nothing is waited for when nothing is started.
    type: float
    default: 0.5
seealso:
  - module: foster.init.job_info
  - module: foster.init.supervisor
"""

EXAMPLES = r"""
- name: A web server, running and respawned
  foster.init.job:
    name: web
    definition:
      description: Serves what lies in /srv/www
      start_on: startup
      exec: python3 -m http.server --directory /srv/www 8000
      setuid: www-data
      respawn: true
      expect: listen 8000

- name: A job file in Upstart's language, as it is
  foster.init.job:
    name: queue
    content: |
      start on started web
      stop on stopping web
      exec /usr/local/bin/queue --foreground

- name: Two instances of one worker
  foster.init.job:
    name: worker
    definition:
      instance: $NUMBER
      exec: /usr/local/bin/worker $NUMBER
    env:
      NUMBER: "{{ item }}"
  loop: [1, 2]

- name: A unit of systemd, on a host without the supervisor
  foster.init.job:
    name: queue
    use: systemd
    definition:
      start_on: started web
      stop_on: stopping web
      exec: /usr/local/bin/queue --foreground
      respawn: true

- name: A job of the Upstart that is PID 1
  foster.init.job:
    name: queue
    use: upstart
    content: |
      start on runlevel [2345]
      stop on runlevel [!2345]
      respawn
      exec /usr/local/bin/queue --foreground

- name: Not at boot any more
  foster.init.job:
    name: queue
    state: stopped
    enabled: false

- name: Gone
  foster.init.job:
    name: web
    state: absent
"""

RETURN = r"""
init:
  description: Who runs the job, V(foster), V(systemd) or V(upstart), or the empty string where nobody does.
  returned: success
  type: str
  sample: systemd
init_reason:
  description: Why it is that one.
  returned: success
  type: str
  sample: no supervisor is here, and the systemd that is PID 1 answers (pid 1)
job:
  description: The job as it is after the task.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    path:
      description: Its file.
      type: str
      returned: always
    defined:
      description: Whether there is such a job.
      type: bool
      returned: always
    enabled:
      description: Whether a C(start on) is in force.
      type: bool
      returned: always
    instances:
      description: What runs, each with C(name), C(goal), C(state), C(processes), C(cgroup), C(log) and C(digest).
      type: list
      elements: dict
      returned: always
      sample:
        - name: ""
          goal: start
          state: running
          processes: [{kind: main, pid: 1234, start_time: 567890}]
escape:
  description: For each instance that runs, the proof that it does not hang on the login session.
  returned: when O(state) is V(started), V(restarted) or V(reloaded)
  type: list
  elements: dict
  sample:
    - instance: ""
      pid: 1234
      ppid: 900
      parent: fosterd
      session: 1234
      cgroup: /system.slice/foster.service/web
      escaped: true
      reason: ""
actions:
  description: What was done, or in check mode would be, in order. Empty when nothing had to change.
  returned: success
  type: list
  elements: str
  sample: [write /etc/foster/web.conf, start web]
failure:
  description:
    - What failed. Which process of the job, its exit status or signal, or the step that could not be done before its
      program ran, and the last lines of its log.
  returned: when a start has failed
  type: dict
  sample:
    process: main
    exit_status: 1
    log_tail: ["Address already in use"]
"""

import os

from ansible_collections.foster.init.plugins.module_utils.ansible.choose import Elsewhere, choose, linger
from ansible_collections.foster.init.plugins.module_utils.ansible.converge import Convergence, Request
from ansible_collections.foster.init.plugins.module_utils.ansible.difference import Difference
from ansible_collections.foster.init.plugins.module_utils.ansible.errors import TaskError
from ansible_collections.foster.init.plugins.module_utils.ansible.installation import layout_of
from ansible_collections.foster.init.plugins.module_utils.ansible.job_options import (
    ON_CHANGE,
    STATES,
    text_of,
    variables,
)
from ansible_collections.foster.init.plugins.module_utils.ansible.module import HANDOVER, SCOPE, FosterModule
from ansible_collections.foster.init.plugins.module_utils.inits import jobfile
from ansible_collections.foster.init.plugins.module_utils.job.names import check_name
from ansible_collections.foster.init.plugins.module_utils.job.options import argument_spec


def definition(module: FosterModule) -> str | None:
    """Return the text that the job file is to have, None where the task gives none."""
    given = module.params
    text = given["content"]
    if given["src"] is not None:
        text = jobfile.read(given["src"])
        if text is None:
            raise TaskError(
                f"src: {given['src']} does not exist on the target; copy the job file there, or give its text as "
                "content."
            )
    return text_of(given["name"], given["definition"], text)


def work(module: FosterModule) -> dict:
    """Bring the job to its state and return what the task returns."""
    check_name(module.params["name"])
    layout = layout_of(module.params["scope"])
    given = module.params
    chosen = choose(given["use"], layout, os.environ, given["transient"])
    request = Request(
        name=given["name"],
        folder=layout.jobs,
        state=given["state"],
        text=definition(module),
        override=given["override"],
        enabled=given["enabled"],
        env=variables(given["env"]),
        on_change=given["on_change"],
        wait_timeout=given["wait_timeout"],
        stay_up=given["stay_up"],
        check=module.check_mode,
        user=given["scope"] == "user",
        elsewhere=Elsewhere(chosen.name, layout, os.environ).place(given["name"]),
    )
    difference = Difference()
    if chosen.name == "systemd" and request.user and request.state in ("started", "restarted"):
        linger(given["linger"], request.check, difference)
    outcome = Convergence(request, chosen.open, difference).run()
    for warning in outcome.warnings:
        module.warn(warning)
    return {
        "job": outcome.job,
        "escape": outcome.escape,
        "init": chosen.name,
        "init_reason": chosen.reason,
        **outcome.difference.result(module._diff),
    }


def main() -> None:
    """Entry point of the module."""
    FosterModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "definition": {"type": "dict", "options": argument_spec()},
            "content": {"type": "str"},
            "src": {"type": "path"},
            "override": {"type": "str"},
            "state": {"type": "str", "choices": STATES, "default": "started"},
            "env": {"type": "dict"},
            "enabled": {"type": "bool"},
            "on_change": {"type": "str", "choices": ON_CHANGE, "default": "restart"},
            "wait_timeout": {"type": "float", "default": 60},
            "stay_up": {"type": "float", "default": 0.5},
            **HANDOVER,
            **SCOPE,
        },
        mutually_exclusive=[("definition", "content", "src")],
        supports_check_mode=True,
    ).run(work)


if __name__ == "__main__":
    main()
