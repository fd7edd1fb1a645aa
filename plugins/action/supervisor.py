# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the supervisor's bundle on the controller and bring it to the target, when the target's is another one."""

from __future__ import annotations

import os
import tempfile
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.foster.init.plugins.module_utils.inits.hosting import files
from ansible_collections.foster.init.plugins.plugin_utils import bundle

MODULE = "foster.init.supervisor"


class ActionModule(ActionBase):
    """Run the module; when it says that it needs the bundle, transfer that and run the module again."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Return the module's result. At most two runs: nothing is transferred when nothing has to be installed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        for internal in ("bundle", "bundle_digest"):
            if internal in arguments:
                raise AnsibleActionFail(f"{internal}: is set by the action plugin of {MODULE}; leave it out.")
        try:
            built = bundle.build()
        except bundle.BundleError as error:
            raise AnsibleActionFail(f"The supervisor's bundle cannot be built on the controller: {error}.") from error
        arguments["bundle_digest"] = files.unpacked_name(built.data)
        try:
            result.update(self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars))
            if result.pop("needs_bundle", False) and not result.get("failed"):
                arguments["bundle"] = self._send(built.data)
                result = super().run(None, task_vars)
                result.update(self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        invocation = result.get("invocation", {}).get("module_args", {})
        for internal in ("bundle", "bundle_digest"):
            invocation.pop(internal, None)
        return result

    def _send(self, data: bytes) -> str:
        """Transfer the bundle; return its path on the target, readable by the user that the module runs as."""
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        folder = self._connection._shell.tmpdir
        target: str = self._connection._shell.join_path(folder, "foster.pyz")
        descriptor, source = tempfile.mkstemp(prefix="foster-", suffix=".pyz")
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
            self._transfer_file(source, target)
        finally:
            os.unlink(source)
        self._fixup_perms2((folder, target))
        return target
