"""Numbers as people read them, and tables of records whose columns nobody declared."""

import math

import pytest

from nanosnake.report.tables import Kind, format_size, format_value, from_records, label


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (None, "number", "\u2013"),
        (math.nan, "number", "\u2013"),
        (1234567, "integer", "1,234,567"),
        (0.74123, "share", "74.1%"),
        (-0.3125, "change", "\u221231.2%"),
        (0.05, "change", "+5.0%"),
        (3.61417, "number", "3.614"),
        (0.000123456, "number", "0.0001235"),
        (123456.7, "number", "123,457"),
        (999, "size", "999 B"),
        (1_234_567, "size", "1.23 MB"),
        (0.123, "seconds", "0.12"),
        (1234.5, "seconds", "1,234"),
        (True, "text", "yes"),
        ("<b>", "text", "<b>"),
    ],
)
def test_values_are_written_as_their_column_asks(value: object, kind: Kind, shown: str) -> None:
    assert format_value(value, kind) == shown


def test_sizes_stop_at_the_largest_unit() -> None:
    assert format_size(5e18) == "5e+06 TB"


def test_what_a_row_is_of_stands_first_and_the_rest_as_records_name_it() -> None:
    table = from_records("t", [{"tokens": 3, "text": "a"}, {"share": 0.5, "text": "b", "tokens": None}])
    assert [(column.key, column.kind) for column in table.columns] == [
        ("text", "text"),
        ("tokens", "integer"),
        ("share", "share"),
    ]


def test_a_column_of_mixed_values_is_text() -> None:
    table = from_records("t", [{"figure": 1}, {"figure": "one"}, {"figure": None}])
    assert [column.kind for column in table.columns] == ["text"]


def test_baselines_keep_their_names_in_headings() -> None:
    assert label("relative_difference_cl100k_base") == "tokens saved, cl100k_base"
    assert label("compression.bytes_per_token.validation") == "compression, bytes per token, validation"


def test_long_tables_say_what_they_leave_out() -> None:
    table = from_records("t", [{"n": number} for number in range(1500)], limit=1000)
    assert len(table.rows) == 1000
    assert table.note == "The first 1,000 of 1,500 rows."
