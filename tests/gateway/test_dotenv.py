"""Dotenv text, held to python-dotenv's own reader."""

import io

import pytest
from dotenv import dotenv_values

from pennyworth.gateway.dotenv import read_dotenv


@pytest.mark.parametrize(
    "text",
    [
        "A=1\nB = 2\n",
        "export A=1\n  export   B=2",
        "A='one two'\nB=\"one two\"",
        "A=one # comment\nB='one # no comment' # comment\nC=one#no",
        "# comment\n\n   # another\nA=1",
        "A=x=y\nB=a b  \nC=",
        "A='first\nsecond\n'\nB=after",
        'A="first\nsecond"\nB=after',
        'KEY="-----BEGIN PRIVATE KEY-----\nMIIE+/=\n-----END PRIVATE KEY-----\n"',
        "A=\"a\\nb\\tc\\\"d\\\\e\"\nB='a\\nb\\'c\\\\d'",
        "A=a\\nb",
        "A=1\r\nB=2\r\n",
        "A='unclosed\nB=2",
        "nonsense\nA=1",
        "A=ä✓\nB='ä✓'",
        "a.b-c=1\nA_1=2",
    ],
)
def test_values_are_those_of_python_dotenv(text: str) -> None:
    theirs = dotenv_values(stream=io.StringIO(text), interpolate=False)
    assert read_dotenv(text).values() == {name: value for name, value in theirs.items() if value is not None}


def test_of_a_name_that_stands_twice_the_first_value_counts() -> None:
    read = read_dotenv("A=1\nA=2\n")
    assert read.values() == {"A": "1"}
    assert [(variable.value, variable.line) for variable in read.variables] == [("1", 1), ("2", 2)]


def test_lines_that_set_nothing_are_named_and_the_others_hold() -> None:
    read = read_dotenv('{\n  "A": "secret"\n}\nB=1\nsk-bare-key\nC="unclosed\nD=2\n')
    assert read.broken == (1, 2, 3, 5, 6)
    assert read.values() == {"B": "1", "D": "2"}


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    assert read_dotenv("\ufeffA=1").values() == {"A": "1"}


def test_no_value_is_shown() -> None:
    assert "secret" not in repr(read_dotenv("A=secret"))
