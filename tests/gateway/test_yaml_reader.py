"""YAML: what stays text, what becomes a number, and what is refused before it costs anything."""

import time
from typing import Any

import pytest

from pennyworth.gateway.yaml_reader import YamlError, compose_yaml, load_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-10-21", "2024-10-21"),
        ("2024-10-21 12:00:00", "2024-10-21 12:00:00"),
        ("0123456", "0123456"),
        ("0o25", "0o25"),
        ("0x1F", "0x1F"),
        ("1_000_000", "1_000_000"),
        ("1:30:30", "1:30:30"),
        ("1e999999", float("inf")),
        ("1e3", 1000.0),
        ("-1.5", -1.5),
        (".5", 0.5),
        ("42", 42),
        ("-7", -7),
        ("0", 0),
        ("1.2.3", "1.2.3"),
        ("+", "+"),
        (".", "."),
        ("-", [None]),
        ("true", True),
        ("yes", True),
        ("off", False),
        ("~", None),
        ("null", None),
        ('"42"', "42"),
        ("sk-1234", "sk-1234"),
        ("{api_base: https://x/y?api-version=1, n: 3}", {"api_base": "https://x/y?api-version=1", "n": 3}),
        ("a: &a {b: 1}\nc: *a\n", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: &a {b: 1}\nc: {<<: *a, d: 2}\n", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("", None),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert load_yaml(text) == value
    assert (compose_yaml(text) is None) is (text == "")


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1, 2", r"line \d"),
        ("a: b: c", "line 1"),
        ("a: *unknown", "undefined alias"),
        ("a: 1\n---\nb: 2\n", "line 2|single document"),
        ("!!python/object/apply:os.system [ls]", "constructor"),
        ("[" * 100_000, "nested more than 64 deep"),
        (BOMB, "more than 100,000 values"),
        ("x" * 1_100_000, "larger than 1024 KiB"),
        ("a: \x00", "special characters|not allowed|control"),
    ],
)
def test_what_is_refused_is_refused_quickly(text: str, says: str) -> None:
    began = time.process_time()
    with pytest.raises(YamlError, match=says):
        load_yaml(text)
    assert time.process_time() - began < 5
