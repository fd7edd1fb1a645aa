# SPDX-License-Identifier: GPL-3.0-or-later
"""References to variables; the rows follow the cases of Upstart's environ_expand()."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.errors import ExpandError, UnknownParameter
from ansible_collections.foster.init.plugins.module_utils.job.expand import expand
from hypothesis import given
from hypothesis import strategies as st

ENV = {"A": "1", "B": "A", "EMPTY": "", "REF": "$A", "PART": "MPTY", "LONG_1": "x"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("$A", "1"),
        ("x$A/y", "x1/y"),
        ("$LONG_1-", "x-"),
        ("${A}b", "1b"),
        ("$REF", "$A"),
        ("${$B}", "1"),
        ("${E$PART:-d}", "d"),
        ("${}", "$"),
        ("a$", "a$"),
        ("$1 $- $$A", "$1 $- $1"),
        ("${N-x}", "x"),
        ("${EMPTY-x}", ""),
        ("${EMPTY:-x}", "x"),
        ("${A:-x}", "1"),
        ("${N:-${A}}", "1"),
        ("${N:-$A}}", "1}"),
        ("${N+x}", ""),
        ("${EMPTY+x}", "x"),
        ("${EMPTY:+x}", ""),
        ("${A:+$B}", "A"),
        ("${A+}", ""),
    ],
)
def test_expands(text: str, value: str) -> None:
    assert expand(text, ENV) == value


@pytest.mark.parametrize(("text", "name"), [("$N", "N"), ("a${N}", "N"), ("${A$B}", "AA"), ("${N:-$M}", "M")])
def test_an_unset_variable_is_named(text: str, name: str) -> None:
    with pytest.raises(UnknownParameter, match=f"^Unknown parameter: {name}$") as caught:
        expand(text, ENV)
    assert caught.value.name == name


@pytest.mark.parametrize("text", ["${A", "${A:-b", "${A:b}", "${" * 10_000, "${N:-" * 10_000])
def test_a_malformed_reference_is_an_error(text: str) -> None:
    with pytest.raises((ExpandError, UnknownParameter)):
        expand(text, ENV)


@pytest.mark.parametrize(("text", "words"), [("${A", "Mismatched braces"), ("${A:b}", "Expected operator")])
def test_a_malformed_reference_is_called_what_upstart_calls_it(text: str, words: str) -> None:
    with pytest.raises(ExpandError, match=f"^{words}$"):
        expand(text, ENV)


@given(st.text(st.sampled_from("${}:-+AN x")))
def test_any_text_expands_or_is_an_error(text: str) -> None:
    try:
        assert "$" in text or expand(text, ENV) == text
        expand(text, ENV)
    except (ExpandError, UnknownParameter) as error:
        assert str(error)
