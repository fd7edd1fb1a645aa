# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of the command line client, one per file.

Each has SUMMARY and ARGUMENTS (for --help), OPTIONS, and ``run(context) -> exit status``. Errors are
exceptions, which ``main`` prints.
"""
