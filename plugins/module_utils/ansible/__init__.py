# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands between an Ansible module and the rest of the collection.

A module gives its options to a request; ``converge`` (one job) or ``installation`` (the supervisor) looks at the host,
``plan`` decides without touching anything, and the steps are carried out, or in check mode only told. ``difference``
collects them and yields ``changed``, ``actions`` and ``diff``. ``module`` turns every error into one sentence.
"""
