# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns as fnmatch(3) reads them."""

from __future__ import annotations

import ctypes

import pytest
from ansible_collections.foster.init.plugins.module_utils.engine.glob import is_literal, matches
from hypothesis import given
from hypothesis import strategies as st

_LIBC = ctypes.CDLL(None)


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("fo*", "foobar", True),
        ("*", "a/b", True),
        ("*", "", True),
        ("?", ".", True),
        ("[ab]?c", "aXc", True),
        ("[!2345]", "6", True),
        ("[^2345]", "3", False),
        ("[]a]", "]", True),
        ("[a-c]", "b", True),
        ("[a-]", "-", True),
        ("[[:digit:]]x", "7x", True),
        (r"\*", "*", True),
        (r"\*", "a", False),
        ("[", "[", True),
        ("a.c", "abc", False),
        ("", "", True),
        ("x", "", False),
    ],
)
def test_pattern(pattern: str, value: str, expected: bool) -> None:
    assert matches(pattern, value) is expected


@given(st.text("ab*?[]!-", max_size=6), st.text("ab-!]", max_size=4))
def test_matches_as_the_c_library_does(pattern: str, value: str) -> None:
    if "[" in pattern and "-" in pattern:
        return  # ranges that run backwards are undefined
    assert matches(pattern, value) is (_LIBC.fnmatch(pattern.encode(), value.encode(), 0) == 0)


@given(st.text("ab*?[\\", max_size=6))
def test_a_literal_matches_itself(pattern: str) -> None:
    if is_literal(pattern):
        assert matches(pattern, pattern)
