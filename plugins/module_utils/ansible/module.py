# SPDX-License-Identifier: GPL-3.0-or-later
"""FosterModule: an AnsibleModule whose work raises, and whose errors become C(fail_json) in one place."""

from __future__ import annotations

import re
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule

from ..dbus.errors import BusError, BusUnreachable, ProtocolError
from ..inits.errors import InitError
from ..job.errors import ExpandError, JobError, UnknownParameter, nearest
from ..job.options import argument_spec
from .errors import TaskError

USE: dict[str, dict[str, Any]] = {
    "use": {"type": "str", "choices": ["auto", "foster", "systemd", "upstart"], "default": "auto"}
}
HANDOVER: dict[str, dict[str, Any]] = {
    **USE,
    "transient": {"type": "bool", "default": False},
    "linger": {"type": "bool", "default": False},
}
SCOPE: dict[str, dict[str, Any]] = {"scope": {"type": "str", "choices": ["system", "user"], "default": "system"}}


class FosterModule(AnsibleModule):  # type: ignore[misc]
    """A module of this collection."""

    def run(self, work: Callable[[FosterModule], dict[str, Any]]) -> None:
        """Do the ``work`` and exit with what it returns, or fail with the one sentence of what it raises."""
        try:
            result = work(self)
        except TaskError as error:
            self.fail_json(msg=str(error), **error.details)
        except (JobError, UnknownParameter, ExpandError, BusUnreachable, ProtocolError, InitError) as error:
            self.fail_json(msg=str(error))
        except BusError as error:
            self.fail_json(msg=error.message, error=error.name)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            self.fail_json(msg=f"{where}{error.strerror or error}")
        else:
            self.exit_json(**result)

    def fail_json(self, msg: str, **details: Any) -> None:
        """Fail; an unknown stanza among the options of a definition is said with the nearest known one."""
        unknown = re.search(r"^Unsupported parameters .*\bdefinition\.([^,. ]+)", msg)
        if unknown:
            name = unknown.group(1)
            msg = f"definition: there is no stanza {name}{nearest(name, argument_spec())}"
        super().fail_json(msg=_sentence(msg), **details)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
