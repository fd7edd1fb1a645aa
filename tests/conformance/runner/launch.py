# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a program, again where the kernel has lost its arguments.

On a virtual machine with Linux 6.18, execve(2) failed with EFAULT about twice in 50,000 times, of a program and
arguments that it took before and after. That says nothing of what is tested here. Nothing has run by then.
"""

from __future__ import annotations

import errno
import subprocess
from typing import Any

_ATTEMPTS = 3


def launch(arguments: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Return what ``subprocess.Popen`` returns for the same arguments. Raises OSError."""
    for _unused in range(_ATTEMPTS - 1):
        try:
            return subprocess.Popen(arguments, **options)
        except OSError as error:
            if error.errno != errno.EFAULT:
                raise
    return subprocess.Popen(arguments, **options)
