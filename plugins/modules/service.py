#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service
short_description: Run a package's own service on a host without its init
version_added: 0.1.0
author:
  - The foster.init developers (@foster-init)
description:
  - Takes the same options as M(ansible.builtin.service), so that a role written for another init works unchanged on a
    host without one, such as a container.
  - Finds the systemd unit that the package brings, with its drop-ins, template instances and aliases, or its SysV
    script. Reads it as a job, and lets the supervisor run that. See RV(lost) for what cannot be carried over.
  - The files of the package are the truth. Each task reads them again, so C(systemctl daemon-reload) has no
    counterpart. A running service keeps its definition until it is restarted, as under systemd.
  - A job of the same name that was defined by M(foster.init.job) comes first and is driven as it is.
  - Where systemd runs the host, it fails, so that a service never has two masters.
  - A copy of the service that runs outside of the supervisor, as the installation of a package leaves one where there
    is no init, is stopped with the SysV script before the job starts.
notes:
  - The option C(use) of M(ansible.builtin.service) selects this module for one task. In C(module_defaults) it does so
    for a play, and the fact C(service_mgr) with this module's name for a host.
extends_documentation_fragment:
  - foster.init.attributes
  - foster.init.attributes.action_group
  - foster.init.scope
attributes:
  check_mode:
    support: full
    details: Predicts what a run does and sends nothing that changes anything. May call the C(status) of a SysV script.
  diff_mode:
    support: full
    details: Shows the job file and the state, before and after.
  idempotent:
    support: partial
    details: Not with O(state=restarted) and O(state=reloaded), which act each time.
options:
  name:
    description:
      - The name of the service, as V(nginx), V(nginx.service), an alias as V(sshd), or an instance of a template as
        V(postgresql@15-main).
    type: str
    required: true
    aliases: [service]
  state:
    description:
      - V(started) and V(stopped) change nothing when it is so already.
      - V(restarted) stops and starts it, and starts it when it does not run.
      - V(reloaded) lets it read its configuration again in the way that its unit or script says, and starts it when it
        does not run.
    type: str
    choices: [started, stopped, restarted, reloaded]
  enabled:
    description:
      - Whether it starts when the supervisor does, at boot or when the container starts again.
      - Without this option the first task on a service takes over what the package has told the host.
    type: bool
  arguments:
    description:
      - Arguments for a SysV script, behind its verb. A unit says itself what its program is given.
    type: str
    aliases: [args]
    default: ""
  sleep:
    description:
      - Accepted and not needed. A stop returns when nothing of the service is left.
    type: int
  pattern:
    description:
      - Accepted and not needed. The supervisor knows the processes of the service.
    type: str
  runlevel:
    description:
      - Accepted and without effect. There are no runlevels.
    type: str
    default: default
  daemon_reload:
    description:
      - Accepted and not needed. Each task reads the unit again.
    type: bool
    default: false
  wait_timeout:
    description:
      - How many seconds to wait for a start, a stop or a reload.
    type: float
    default: 300
seealso:
  - module: foster.init.job
  - module: foster.init.supervisor
"""

EXAMPLES = r"""
# In a play, module_defaults can say the same for all its tasks and roles.
- name: Let the unmodified tasks of a role run services through the supervisor
  module_defaults:
    ansible.builtin.service:
      use: foster.init.service
  block:
    - name: Apply a role that knows nothing of it
      ansible.builtin.include_role:
        name: some.other.role

- name: The same for a host, whatever the play
  ansible.builtin.set_fact:
    service_mgr: foster.init.service
    cacheable: true

- name: A service by itself
  foster.init.service:
    name: nginx
    state: started
    enabled: true
"""

RETURN = r"""
name:
  description: The service's own name, also where the task has used an alias.
  returned: success
  type: str
state:
  description: V(started) or V(stopped). In check mode, what it would be.
  returned: success
  type: str
enabled:
  description: Whether it starts with the supervisor.
  returned: success
  type: bool
source:
  description: The unit or script that the job was read from, empty for a job of your own.
  returned: success
  type: str
  sample: /lib/systemd/system/nginx.service
lost:
  description:
    - What of the unit could not be carried over. Each with C(directive), C(value), C(where), C(kind), C(matters) and
      C(sentence). The C(kind) is V(protection), V(behaviour) or V(order).
  returned: success
  type: list
  elements: dict
  sample:
    - directive: PrivateTmp
      value: "true"
      kind: protection
      matters: true
      sentence: "Is not in force: it needs a mount namespace of its own."
      where: /lib/systemd/system/nginx.service:12
job:
  description: The job as it is after the task, as M(foster.init.job) returns it.
  returned: success
  type: dict
escape:
  description: The proof that the service does not hang on the login session, as M(foster.init.job) returns it.
  returned: success
  type: list
  elements: dict
actions:
  description: What was done, or in check mode would be, in order. Empty when nothing had to change.
  returned: success
  type: list
  elements: str
  sample: [write /etc/foster/nginx.conf, start nginx]
failure:
  description: What failed, as M(foster.init.job) returns it.
  returned: when a start has failed
  type: dict
"""

from ansible_collections.foster.init.plugins.module_utils.ansible.errors import TaskError
from ansible_collections.foster.init.plugins.module_utils.ansible.installation import layout_of
from ansible_collections.foster.init.plugins.module_utils.ansible.module import SCOPE, FosterModule
from ansible_collections.foster.init.plugins.module_utils.ansible.packaged import Packages
from ansible_collections.foster.init.plugins.module_utils.ansible.service import Request, Service
from ansible_collections.foster.init.plugins.module_utils.ansible.supervisor import Supervisor
from ansible_collections.foster.init.plugins.module_utils.inits import detect

UNUSED = {
    "sleep": "a stop returns when nothing of the service is left",
    "pattern": "the supervisor knows the processes of the service",
}


def work(module: FosterModule) -> dict:
    """Bring the service to its state and return what the task returns."""
    given = module.params
    for option, why in UNUSED.items():
        if given[option] is not None:
            module.warn(f"{option}: is not needed here, {why}.")
    if given["runlevel"] != "default":
        module.warn("runlevel: has no effect, there are no runlevels here.")
    if given["scope"] != "system":
        raise TaskError("scope: packages bring services for the system only; use foster.init.job for jobs of a user.")
    if detect.systemd() is not None:
        raise TaskError(
            f"{given['name']}: systemd runs this host and its services; use foster.init.service on hosts without an "
            "init, by module_defaults or the fact service_mgr for those alone."
        )
    layout = layout_of("system")
    request = Request(
        name=given["name"],
        folder=layout.jobs,
        state=given["state"],
        enabled=given["enabled"],
        arguments=given["arguments"],
        wait_timeout=given["wait_timeout"],
        check=module.check_mode,
    )
    served = Service(request, lambda: Supervisor.open(f"unix:path={layout.socket}", layout.jobs), Packages()).run()
    for warning in served.warnings:
        module.warn(warning)
    runs = any(each["goal"] == "start" for each in served.job["instances"])
    if module.check_mode and given["state"] is not None and served.difference.changed:
        runs = given["state"] != "stopped"
    return {
        "name": served.name,
        "state": "started" if runs else "stopped",
        "enabled": served.job["enabled"],
        "source": served.source,
        "lost": [each._asdict() for each in served.lost],
        "job": served.job,
        "escape": served.escape,
        **served.difference.result(module._diff),
    }


def main() -> None:
    """Entry point of the module."""
    FosterModule(
        argument_spec={
            "name": {"type": "str", "required": True, "aliases": ["service"]},
            "state": {"type": "str", "choices": ["started", "stopped", "restarted", "reloaded"]},
            "enabled": {"type": "bool"},
            "arguments": {"type": "str", "default": "", "aliases": ["args"]},
            "sleep": {"type": "int"},
            "pattern": {"type": "str"},
            "runlevel": {"type": "str", "default": "default"},
            "daemon_reload": {"type": "bool", "default": False},
            "wait_timeout": {"type": "float", "default": 300},
            **SCOPE,
        },
        required_one_of=[("state", "enabled")],
        supports_check_mode=True,
    ).run(work)


if __name__ == "__main__":
    main()
