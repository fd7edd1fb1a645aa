# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the unit tests: how hard the property tests try.

`HYPOTHESIS_PROFILE=dev` is quick, `ci` (the default) and `ci-quick` are repeatable, `thorough` is for a long evening.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# No deadline: the machines are shared, and a slow example is no wrong example.
settings.register_profile("dev", max_examples=25, deadline=None)
for name, examples in (("ci", 100), ("ci-quick", 20)):
    settings.register_profile(
        name, max_examples=examples, deadline=None, derandomize=True, database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
settings.register_profile("thorough", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
