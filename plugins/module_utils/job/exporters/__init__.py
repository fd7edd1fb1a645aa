# SPDX-License-Identifier: GPL-3.0-or-later
"""A job in the language of another init: in goes a model.Job, out comes a unit of systemd, or a JobError.

``table`` has one row for each stanza: the directives that say the same, and a note where they say it a little
otherwise. ``unit`` puts the lines together, ``source`` keeps the job itself in the unit's comments, so that it can be
read back. What a unit cannot say is an error that names the stanza; nothing is left out silently.
"""
