# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option C(definition): one sub option for each stanza, read from the table, so that it is never behind."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.foster.init.plugins.module_utils.job.options import argument_spec
from ansible_collections.foster.init.plugins.module_utils.job.stanzas import STANZAS


def _suboptions() -> dict[str, Any]:
    documented: dict[str, Any] = {}
    for option, spec in argument_spec().items():
        rows = [row for row in STANZAS if row.option == option]
        syntax = rows[0].syntax if len(rows) == 1 else "COMMAND, or a dictionary with either exec or script"
        lines = [rows[0].meaning]
        if syntax:
            lines.append(f"In a job file - {syntax}.")
        if rows[0].beyond_upstart:
            lines.append("Upstart does not have it.")
        documented[option] = {"description": lines, **spec}
    return documented


class ModuleDocFragment:
    # Annotated, because ansible-test takes a plain assignment for a literal.
    DOCUMENTATION: str = json.dumps(
        {
            "options": {
                "definition": {
                    "description": [
                        "The job as YAML. Its keys are the stanzas of a job file with underscores.",
                        "An unknown key is an error that names the nearest known one.",
                        "Mutually exclusive with O(content) and O(src).",
                    ],
                    "type": "dict",
                    "suboptions": _suboptions(),
                }
            }
        }
    )
