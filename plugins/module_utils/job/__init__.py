# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job is: no file is read here and nothing is started.

In comes the text of a job file (with its override), or a job's options in YAML; out goes a frozen `model.Job`, or an
`errors.JobError` that says what, where and what would be right. The way back is `writer` and `options`. `stanzas` is
the one table of the language: each row names the words of a stanza, the field of the job that it sets, and the kind of
its value (`values`, `compound`), which reads and writes it. `lexer` knows words, quotes and blocks, `conditions` the
and/or trees of events, `expand` the references to variables, `names` what a job may be called.
"""
