"""Values that come as one or as several."""

from pennyworth.host.lists import as_list, split_list


def test_a_value_alone_is_a_list_of_one() -> None:
    assert [as_list(value) for value in (None, "a", ["a", "b"], {"a": 1})] == [
        [],
        ["a"],
        ["a", "b"],
        [{"a": 1}],
    ]


def test_a_list_in_a_text_has_no_space_around_its_entries_and_no_empty_ones() -> None:
    assert split_list(" a, b ,,c,") == ["a", "b", "c"]
    assert split_list(" ") == split_list("") == []
