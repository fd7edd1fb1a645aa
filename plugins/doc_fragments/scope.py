# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option that says whose jobs are meant."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  scope:
    description:
      - Whose jobs are meant.
      - V(system) is the host's supervisor. It runs as root, its jobs lie in C(/etc/foster) and it listens on
        C(/run/foster/control). Changing anything needs root.
      - V(user) is the supervisor of the user that the task runs as. Its jobs lie in C($XDG_CONFIG_HOME/foster),
        which is C(~/.config/foster) where that is not set.
    type: str
    choices: [system, user]
    default: system
"""
