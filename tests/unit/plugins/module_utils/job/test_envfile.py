# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment files are read as systemd reads them: as data."""

from __future__ import annotations

import pytest
from ansible_collections.foster.init.plugins.module_utils.job import envfile
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nB=two words \n", {"A": "1", "B": "two words"}),
        ("# A=1\n; B=2\n\n C = 3\n", {"C": "3"}),
        ("A='$HOME `id` \\n'\n", {"A": "$HOME `id` \\n"}),
        ('A="a \\"b\\" \\$c \\n"\n', {"A": 'a "b" $c \\n'}),
        ("A=$(touch /tmp/x)\n", {"A": "$(touch /tmp/x)"}),
        ("A=one \\\ntwo\n", {"A": "one two"}),
        ("A='one\ntwo'\nB=3\n", {"A": "one\ntwo", "B": "3"}),
        ('A=a"b c"\n', {"A": 'a"b c"'}),
        ("A='a' \"b\" c\n", {"A": "abc"}),
        ("A=1\nA=2", {"A": "2"}),
        ("export A=1\nnothing\n1A=2\nB=\n", {"B": ""}),
        ("# a \\\nA=1\nB=2\n", {"B": "2"}),
        ("A=x\r\nB=y\r\n", {"A": "x", "B": "y"}),
        ("A='unclosed", {"A": "unclosed"}),
    ],
)
def test_values(text: str, expected: dict[str, str]) -> None:
    assert envfile.read(text) == expected


@given(st.text(st.sampled_from("AB=\"'\\ \n#;$`\t\r\0x"), max_size=60))
def test_any_text_is_read(text: str) -> None:
    for key, value in envfile.read(text).items():
        assert key.isidentifier()
        assert "\0" not in value


@given(
    st.dictionaries(st.sampled_from(["A", "B_C", "D1"]), st.text(st.characters(exclude_characters="\0"), max_size=20))
)
def test_what_is_quoted_comes_back(variables: dict[str, str]) -> None:
    quoted = {key: "".join(f"\\{c}" if c in '"\\`$' else c for c in value) for key, value in variables.items()}
    assert envfile.read("".join(f'{key}="{value}"\n' for key, value in quoted.items())) == variables
