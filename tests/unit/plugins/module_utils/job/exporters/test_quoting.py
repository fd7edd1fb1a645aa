# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd reads from a unit is what was meant, whatever is in it.

``read_words`` undoes the layers as systemd 247 to 257 do: extract_first_word() with quotes and C escapes, then
specifiers, then variables in command lines. The scenario `delegate` has the same texts read by systemd itself.
"""

from __future__ import annotations

import re

import pytest
from ansible_collections.foster.init.plugins.module_utils.job.exporters import quoting, source, unit_names
from hypothesis import given
from hypothesis import strategies as st

characters = st.one_of(
    st.sampled_from(" \t\n\r\"'\\%$;#-@=:{}n\x01\x7f\u2028ä"),
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
)
texts = st.text(characters, min_size=1, max_size=15)

_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "\\": "\\",
    '"': '"',
    "'": "'",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "s": " ",
}


def read_words(line: str, command: bool) -> list[str]:
    """Return the words of a line as systemd takes it; fails for what it would refuse."""
    assert "\n" not in line and "\r" not in line and not line.endswith("\\")
    words: list[str] = []
    position = 0
    while position < len(line):
        if line[position] in " \t":
            position += 1
            continue
        word, quote = "", ""
        while position < len(line) and (quote or line[position] not in " \t"):
            character = line[position]
            position += 1
            if character == "\\":
                escape = line[position]
                position += 1
                if escape == "x":
                    word += chr(int(line[position : position + 2], 16))
                    position += 2
                else:
                    word += _ESCAPES[escape]
            elif quote:
                quote = "" if character == quote else quote
                word += "" if not quote else character
            elif character in "\"'":
                quote = character
            else:
                word += character
        assert not quote
        words.append(word)
    return [_without_variables(_without_specifiers(word)) if command else _without_specifiers(word) for word in words]


def _without_specifiers(word: str) -> str:
    assert not re.search(r"(?<!%)(%%)*%(?!%)", word), "a specifier"
    return word.replace("%%", "%")


def _without_variables(word: str) -> str:
    assert not re.search(r"(?<!\$)(\$\$)*\$(?!\$)", word), "a variable"
    return word.replace("$$", "$")


@given(st.lists(texts, min_size=1, max_size=4))
def test_a_command_line_is_read_as_it_was_meant(words: list[str]) -> None:
    line = " ".join(quoting.command_word(word) for word in words)
    assert read_words(line, command=True) == words
    assert not re.search(r"(^|\s);(\s|$)", line), "systemd would begin another command there"


@given(st.lists(texts, min_size=1, max_size=4))
def test_a_list_is_read_as_it_was_meant(words: list[str]) -> None:
    assert read_words(" ".join(quoting.list_word(word) for word in words), command=False) == words


@given(texts)
def test_a_text_for_people_stays_on_its_line(text: str) -> None:
    value = quoting.line_value(text)
    assert value.isprintable() or not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029]", value)
    assert not value.endswith("\\")
    assert not re.search(r"(?<!%)(%%)*%(?!%)", value)


@pytest.mark.parametrize("path", ["relative", "/a/../b", "/a\nb", "/a ", "/a\\", "/./a", ""])
def test_a_path_that_systemd_would_read_otherwise_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="unit takes"):
        quoting.path_value(path)


@given(texts)
def test_an_instance_is_read_back_from_the_name_of_its_unit(name: str) -> None:
    unit = unit_names.instance_unit("web", name) if len(name.encode()) < 50 else "web@.service"
    assert re.fullmatch(r"[A-Za-z0-9:_.\\@-]+", unit)
    if unit != "web@.service":
        assert unit_names.instance_of(unit) == name


@pytest.mark.parametrize(
    ("job", "unit"),
    [
        ("web", "web.service"),
        ("net/web-1", "net-web-1.service"),
        ("a b@c", "a\\x20b\\x40c.service"),
        (".x", "\\x2ex.service"),
    ],
)
def test_the_names_of_units(job: str, unit: str) -> None:
    assert unit_names.unit_name(job) == unit


@given(texts, texts | st.just(""), st.none() | texts | st.just(""))
def test_the_job_is_read_back_from_the_comments_of_its_unit(name: str, text: str, override: str | None) -> None:
    given_source = source.Source(name, text, override)
    comments = source.embed(given_source)
    assert all(line.startswith("#") for line in comments.split("\n")[:-1])
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", comments), "systemd ends a line there"
    assert source.extract(f"{comments}\n[Service]\nExecStart=/bin/true\n") == given_source


@pytest.mark.parametrize("text", ["", "[Unit]\n", "# foster.init made this unit from the job nonsense.\n"])
def test_a_unit_of_somebody_else_is_not_ours(text: str) -> None:
    assert source.extract(text) is None
