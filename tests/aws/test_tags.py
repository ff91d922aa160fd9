"""Tags, as AWS takes them."""

import pytest

from pennyworth.aws.tags import read_tags
from pennyworth.host.errors import OperationFailed


def test_tags_are_lines_of_names_and_values() -> None:
    text = "team=platform\n\n# who pays\n cost centre = 42 \nowner:mail=me@example.com\nempty=\n"
    assert read_tags(text.splitlines()) == {
        "team": "platform",
        "cost centre": "42",
        "owner:mail": "me@example.com",
        "empty": "",
    }
    assert read_tags([]) == {}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["team"], "line 1: expected NAME=VALUE"),
        (["=platform"], "line 1: expected NAME=VALUE"),
        (["a=1", "AWS:team=x"], "line 2: AWS:team begins with aws:"),
        (["team=a", "Team=b"], "line 2: Team is set in another line already"),
        (["x" * 129 + "=a"], "the name has 129 characters"),
        (["a=" + "x" * 257], "the value of a has 257 characters"),
        (["a=b;c"], "a has other characters than letters"),
        (["a=b=c"], "the value of a contains ="),
        ([f"tag{number}=x" for number in range(50)], "there are 50 tags, but AWS takes at most 49"),
    ],
)
def test_what_aws_would_refuse_is_named_by_its_line(lines: list[str], said: str) -> None:
    with pytest.raises(OperationFailed) as failure:
        read_tags(lines)
    assert said in failure.value.detail
