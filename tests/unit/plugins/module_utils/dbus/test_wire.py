# SPDX-License-Identifier: GPL-3.0-or-later
"""The types that are done without jeepney, compared with jeepney's."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from ansible_collections.foster.init.plugins.module_utils.dbus import generic, wire
from ansible_collections.foster.init.plugins.module_utils.dbus.errors import ProtocolError
from hypothesis import given
from hypothesis import strategies as st

_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_int = st.integers(-(1 << 31), (1 << 31) - 1)
_uint = st.integers(0, (1 << 32) - 1)
_SIMPLE = {
    "s": _text,
    "b": st.booleans(),
    "i": _int,
    "u": _uint,
    "as": st.lists(_text, max_size=4),
}
_WRITTEN_ONLY = {
    "aas": st.lists(st.lists(_text, max_size=3), max_size=3),
    "a(si)": st.lists(st.tuples(_text, _int), max_size=3),
}


def _bodies(kinds: dict[str, Any]) -> Any:
    one = st.sampled_from(sorted(kinds)).flatmap(lambda kind: st.tuples(st.just(kind), kinds[kind]))
    return st.lists(one, max_size=5).map(
        lambda pairs: ("".join(kind for kind, _unused in pairs), tuple(value for _unused, value in pairs))
    )


_variants = st.one_of([values.map(lambda value, kind=kind: (kind, value)) for kind, values in _SIMPLE.items()])


@given(_bodies({**_SIMPLE, **_WRITTEN_ONLY, "v": _variants, "a{sv}": st.dictionaries(_text, _variants, max_size=3)}))
def test_writing_gives_the_bytes_that_jeepney_writes(body: tuple[str, tuple[Any, ...]]) -> None:
    signature, values = body
    if signature:
        assert wire.encode(signature, values) == generic.encode(signature, values)


_READ = {**_SIMPLE, "v": _variants, "a{sv}": st.dictionaries(_text, _variants, max_size=3)}


@given(_bodies(_READ))
def test_what_was_written_is_read(body: tuple[str, tuple[Any, ...]]) -> None:
    signature, values = body
    assert wire.decode(signature, wire.encode(signature, values), simple_only=True) == values


@given(_bodies(_READ), st.data())
def test_a_shortened_body_is_an_error(body: tuple[str, tuple[Any, ...]], data: Any) -> None:
    signature, values = body
    raw = wire.encode(signature, values)
    if raw:
        with pytest.raises(ProtocolError):
            wire.decode(signature, raw[: data.draw(st.integers(0, len(raw) - 1))], simple_only=True)


def test_other_types_are_read_by_jeepney_and_refused_from_strangers() -> None:
    body = wire.encode("a{sv}", ({"x": ("a(s(ss))", [("a", ("b", "c"))])},))
    assert wire.decode("a{sv}", body) == ({"x": ("a(s(ss))", [("a", ("b", "c"))])},)
    with pytest.raises(ProtocolError, match="not understood"):
        wire.decode("a{sv}", body, simple_only=True)


def test_big_endian_is_read() -> None:
    assert wire.decode("sb", b"\0\0\0\1a\0\0\0\0\0\0\1", ">") == ("a", True)


@pytest.mark.parametrize("signature", ["()", "a", "(s", "a{s}", "a{vs}", "{sv}", "z", "a" * 40 + "s", "s" * 256, ")"])
def test_what_is_no_signature(signature: str) -> None:
    with pytest.raises(ProtocolError):
        wire.split_signature(signature)


@pytest.mark.parametrize(
    ("signature", "tokens"), [("", ()), ("sasb", ("s", "as", "b")), ("a{sv}(ia(su))v", ("a{sv}", "(ia(su))", "v"))]
)
def test_complete_types(signature: str, tokens: tuple[str, ...]) -> None:
    assert wire.split_signature(signature) == tokens


@pytest.mark.parametrize(("signature", "values"), [("i", (1 << 31,)), ("s", ("a\0b",)), ("ss", ("a",)), ("u", (-1,))])
def test_values_that_do_not_fit(signature: str, values: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"."):
        wire.encode(signature, values)


def test_text_that_is_no_utf8_is_sent_as_something_that_is() -> None:
    assert wire.decode("s", wire.encode("s", ("a\udcff",))) == ("a?",)


def test_what_a_job_needs_of_systemd_is_read_without_jeepney() -> None:
    body = struct.pack("<Q", 1 << 40) + struct.pack("<I", 2) + b"\1\xff"
    assert wire.decode("tay", body, simple_only=True) == (1 << 40, b"\1\xff")
    exec_start = "a(sasbttttuii)"
    values = ([("/bin/sh", ["sh", "-e"], False, 1, 2, 3, 4, 5, 1, 203), ("/bin/true", [], True, 0, 0, 0, 0, 0, 0, 0)],)
    assert wire.decode(exec_start, generic.encode(exec_start, values), simple_only=True) == values


@pytest.mark.parametrize("cut", [1, 8, 30])
def test_an_array_of_structs_that_is_cut_short_is_no_message(cut: int) -> None:
    body = generic.encode("a(si)", ([("main", 1), ("post-start", 2)],))
    with pytest.raises(ProtocolError):
        wire.decode("a(si)", body[:-cut], simple_only=True)
