# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say which init runs the jobs, and what only systemd can be asked for."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  use:
    description:
      - Who runs the jobs.
      - V(auto) takes a supervisor that runs or is installed, otherwise a systemd that is PID 1 or the user's own,
        otherwise an Upstart that is PID 1 or, with C(UPSTART_SESSION) set, the session's. Where there is none of them
        the task fails. A play that installs the supervisor does best to say V(foster), so that check mode on a fresh
        host predicts the same.
      - V(foster) is the supervisor of this collection, see M(foster.init.supervisor).
      - V(systemd) makes a unit of a job. What a unit cannot express is an error that names the stanza.
        C(docs/systemd.md) of the collection has the table.
      - V(upstart) writes the job file into C(/etc/init), or with O(scope=user) into the folder of the session init that
        C(UPSTART_SESSION) names or that is the only one of this user, and does the rest over Upstart's own socket. A
        stanza that Upstart does not have is an error that names it. C(docs/guides/upstart.md) of the collection has
        more.
    type: str
    choices: [auto, foster, systemd, upstart]
    default: auto
"""

    HANDOVER = r"""
options:
  transient:
    description:
      - Keep nothing, so that the job is gone with the next boot. With O(use=systemd) only.
    type: bool
    default: false
  linger:
    description:
      - With O(scope=user) and O(use=systemd), ask logind to keep the user's manager after the last logout. Without
        that, and where it does not linger already, such a start fails, because the job would end with the session.
    type: bool
    default: false
"""
