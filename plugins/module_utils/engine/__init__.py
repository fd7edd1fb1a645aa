# SPDX-License-Identifier: GPL-3.0-or-later
"""What should happen: the engine decides, and touches nothing.

Inputs (``messages``: a command, an event, a process that ended, a timer that ran out) go into ``engine``, effects come
out, in order; time comes in as a number. ``turn`` gathers what one input leads to. ``states`` is the table of what
follows what, ``lifecycle`` what entering a state does, ``ending`` how it ends, ``requests`` what somebody asks for,
``event`` and ``condition`` who starts whom and who holds whom, ``delivery`` how events reach those who listen,
``catalogue`` which jobs there are, ``selection`` which instance is meant, ``records`` what survives a crash. There is
no recursion between jobs: what one does to another goes through an event, and events are visited in a queue, in the
order that Upstart visits them.
"""
