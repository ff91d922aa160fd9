"""The generated tables: all pages are up to date, and a table is found by the heading above it."""

import pytest

from tools import pages


def test_every_page_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert pages.main(["--check"]) == 0, capsys.readouterr().out


def test_every_parameter_has_a_description_and_values_that_a_reader_can_choose_from() -> None:
    template = pages._read(pages.TEMPLATE)
    rows = pages.parameters(template).splitlines()[2:]
    assert len(rows) == len(template["Parameters"])
    for row in rows:
        _, name, _, description, *_ = row.split("|")
        assert description.strip().endswith("."), name
    assert set(pages.BY_SECRET) < set(template["Parameters"])


def test_only_the_table_below_the_heading_is_replaced() -> None:
    page = "# A\n\n| old |\n|---|\n\n## B\n\ntext\n\n| old |\n|---|\n| row |\n\n| other |\n"
    new = "| new |\n|---|\n"
    assert pages.rewritten(page, "B", new) == page.replace("| old |\n|---|\n| row |\n", new)
    with pytest.raises(ValueError, match="below the heading 'C'"):
        pages.rewritten(page, "C", new)
