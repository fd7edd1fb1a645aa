# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand in for pip's bootstrap script: install pip from the package index, without its own server.

ansible-test calls it with the options of the original; what the pip of a current Python does not need is ignored.
The pip that is bundled with Python (ensurepip) puts the newer one in place.
"""

from __future__ import annotations

import ensurepip
import os
import subprocess
import sys
import tempfile


def main() -> int:
    """Install the pip that the arguments name, for the Python that runs this; return pip's exit status."""
    wanted = [argument for argument in sys.argv[1:] if argument.startswith("pip==")] or ["pip"]
    # ensurepip switches pip's configuration off for the whole process: proxies, certificates and indexes must
    # survive it.
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        ensurepip.bootstrap(root=folder, default_pip=False)
        site = next(path for path, folders, _unused in os.walk(folder) if "pip" in folders)
        environment["PYTHONPATH"] = site
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        return subprocess.run([*pip, "install", "--ignore-installed", *wanted], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
