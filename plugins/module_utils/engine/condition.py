# SPDX-License-Identifier: GPL-3.0-or-later
"""``start on``, ``stop on`` and ``ready on`` at run time: which of their events have come, and are held.

Each event that a condition has taken is kept from finishing until the condition has come true or was reset,
so whoever emitted the first half of an ``and`` waits for the second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Optional, Union

from ..job.errors import ExpandError, UnknownParameter
from ..job.expand import expand
from ..job.model import And, Condition, Match
from . import environment, glob
from .event import Event, EventQueue

_AND, _OR, _MATCH = range(3)
Listener = tuple[str, str, str]  # event name, "" or variable name, literal value; see listeners()
ANY = ("\n", "")  # stands for "whatever the variables are"
FIRST = "\n1"  # stands for the first variable, whatever its name is


class _Node:
    __slots__ = ("event", "kind", "left", "match", "right", "true")

    def __init__(self, kind: int, match: Optional[Match] = None) -> None:
        self.kind = kind
        self.match = match
        self.left: Optional[_Node] = None
        self.right: Optional[_Node] = None
        self.true = False
        self.event: Optional[Event] = None


class Tree:
    """A condition with its memory. ``holds``: keep the events from finishing that it has taken."""

    __slots__ = ("_events", "_holds", "_nodes")

    def __init__(self, condition: Condition, events: EventQueue, holds: bool = True) -> None:
        self._nodes = _build(condition)
        self._events = events
        self._holds = holds

    @property
    def true(self) -> bool:
        """Whether the condition has come true."""
        return self._nodes[-1].true

    def handle(self, event: Event, env: Iterable[str] = ()) -> bool:
        """Offer ``event``; tell whether a part of the condition has taken it. ``env`` expands the values."""
        taken = False
        for node in self._nodes:
            if node.kind == _MATCH:
                if not node.true and node.match is not None and event_matches(node.match, event, env):
                    node.true = True
                    node.event = event
                    self._hold(event)
                    taken = True
            else:
                _update(node)
        return taken

    def reset(self) -> None:
        """Forget what has come, and let the events go."""
        for node in self._nodes:
            if node.kind == _MATCH:
                node.true = False
                event, node.event = node.event, None
                if event is not None and self._holds:
                    self._events.release(event)
            else:
                _update(node)

    def events(self) -> list[Event]:
        """Return the events that made the condition true, from left to right; others are held, but had no part."""
        found = []
        stack = [self._nodes[-1]]
        while stack:
            node = stack.pop()
            if not node.true:
                continue
            if node.kind == _MATCH:
                if node.event is not None:
                    found.append(node.event)
            elif node.left is not None and node.right is not None:
                stack.append(node.right)
                stack.append(node.left)
        return found

    def take_over(self, old: Tree) -> None:
        """Take the events that an earlier version of the condition was holding, where they match here too."""
        for node in old._nodes:
            if node.event is not None:
                self.handle(node.event)

    def taken(self) -> list[Optional[int]]:
        """Return the number of the event that each part has taken, from left to right, None where it has none."""
        return [node.event.number if node.event else None for node in self._nodes if node.kind == _MATCH]

    def waits_for(self) -> list[Match]:
        """Return the parts that have not come true and that matter still: none below an ``or`` that is true."""
        found = []
        stack = [self._nodes[-1]]
        while stack:
            node = stack.pop()
            if node.true:
                continue
            if node.match is not None:
                found.append(node.match)
            elif node.left is not None and node.right is not None:
                stack += [node.right, node.left]
        return found

    def _hold(self, event: Event) -> None:
        if self._holds:
            self._events.hold(event)

    def restore(self, taken: list[Optional[int]]) -> None:
        """Go back to what taken() returned, with the events of the queue; the condition may have changed since."""
        numbers = iter(taken)
        for node in self._nodes:
            if node.kind == _MATCH:
                event = self._events.events.get(next(numbers, None) or 0)
                if event is not None and node.match is not None and node.match.event == event.name:
                    node.true, node.event = True, event
                    self._hold(event)
            else:
                _update(node)


def _update(node: _Node) -> None:
    left, right = node.left, node.right
    if left is None or right is None:
        return
    node.true = (left.true and right.true) if node.kind == _AND else (left.true or right.true)


def _build(condition: Condition) -> list[_Node]:
    """Return the nodes of a tree with children before parents; no recursion, an ``or`` may have a thousand parts."""
    nodes: list[_Node] = []
    done: list[_Node] = []
    stack: list[tuple[Condition, bool]] = [(condition, False)]
    while stack:
        part, children_done = stack.pop()
        if isinstance(part, Match):
            node = _Node(_MATCH, part)
        elif children_done:
            node = _Node(_AND if isinstance(part, And) else _OR)
            node.right = done.pop()
            node.left = done.pop()
        else:
            stack += [(part, True), (part.right, False), (part.left, False)]
            continue
        nodes.append(node)
        done.append(node)
    return nodes


def matches_in(condition: Optional[Condition]) -> Iterator[Match]:
    """Yield every match of a condition, from left to right."""
    stack = [condition] if condition is not None else []
    while stack:
        part = stack.pop()
        if isinstance(part, Match):
            yield part
        else:
            stack += [part.right, part.left]


def event_matches(match: Match, event: Event, env: Union[Iterable[str], Mapping[str, str]] = ()) -> bool:
    """Tell whether ``event`` is the one meant: names exactly, values by pattern, by position or by name.

    A positional value after a named one goes on from that variable; a missing variable never matches, not
    even with ``!=``; nor does a value that refers to a variable that ``env`` lacks.
    """
    if match.event != event.name:
        return False
    position = 0
    variables = event.env
    for argument in match.arguments:
        key, operator, pattern = _split(argument)
        if operator:
            prefix = key + "="
            position = next((index for index, entry in enumerate(variables) if entry.startswith(prefix)), -1)
            if position < 0:
                return False
        elif position >= len(variables):
            return False
        if "$" in pattern:
            try:
                pattern = expand(pattern, env if isinstance(env, Mapping) else environment.values(env))
            except (UnknownParameter, ExpandError):
                return False
        value = variables[position].partition("=")[2]
        if glob.matches(pattern, value) == (operator == "!="):
            return False
        position += 1
    return True


def _split(argument: str) -> tuple[str, str, str]:
    """Return key, operator and pattern; ``!=`` anywhere wins over ``=``, as in Upstart."""
    key, operator, pattern = argument.partition("!=")
    if operator:
        return key, operator, pattern
    key, operator, pattern = argument.partition("=")
    return (key, operator, pattern) if operator else ("", "", argument)


def listeners(condition: Optional[Condition]) -> set[Listener]:
    """Return under which keys an index finds ``condition``: as narrow as its first arguments allow."""
    found = set()
    for match in matches_in(condition):
        key, value = ANY
        if match.arguments:
            name, operator, pattern = _split(match.arguments[0])
            if operator != "!=" and "$" not in pattern and glob.is_literal(pattern):
                key, value = (name if operator else FIRST), pattern
        found.add((match.event, key, value))
    return found


def keys_of(event: Event) -> list[Listener]:
    """Return the keys of listeners() under which those stand that may want ``event``."""
    keys: list[Listener] = [(event.name, *ANY)]
    if event.env:
        keys.append((event.name, FIRST, event.env[0].partition("=")[2]))
        for entry in event.env:
            key, _unused, value = entry.partition("=")
            keys.append((event.name, key, value))
    return keys
