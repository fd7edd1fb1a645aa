# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the filters have in common that read what was written for another init."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.job.importers.imported import Imported
from ..module_utils.job.options import options_from_job


def check_texts(name: str, needs: str, *values: Any) -> None:
    """Raise AnsibleFilterError with what the filter ``name`` ``needs``, where one of ``values`` is no text."""
    if not all(isinstance(value, str) for value in values):
        raise AnsibleFilterError(f"{name} needs {needs}")


def as_job(found: Imported, with_lost: bool) -> dict[str, Any]:
    """Return what was read as a job for the module jobs; ``with_lost``: and what could not be carried over."""
    job: dict[str, Any] = {"name": found.job.name, "definition": options_from_job(found.job)}
    if with_lost:
        job["lost"] = [lost._asdict() for lost in found.lost]
    return job
