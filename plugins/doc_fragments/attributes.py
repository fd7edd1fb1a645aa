# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module says about itself: check mode, diff mode, idempotence, platform and action group."""

from __future__ import annotations


class ModuleDocFragment:
    """The attributes; a module that differs in one overrides its C(support) or C(details)."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changed status prediction without modifying the target.
  diff_mode:
    description: Returns details on what has changed (or would change in C(check_mode)), when in diff mode.
  idempotent:
    description: A second run with the same options reports C(changed=false), when nothing else changed the target.
  platform:
    description: The systems that the module works on.
    platforms: posix
    support: full
    details: Linux 4.18 or newer with Python 3.9 or newer.
"""

    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/foster.init.all) in C(module_defaults) to set defaults for all modules of the collection.
    support: full
    membership:
      - foster.init.all
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details: Only reads.
  diff_mode:
    support: N/A
    details: Changes nothing.
  idempotent:
    support: full
"""
