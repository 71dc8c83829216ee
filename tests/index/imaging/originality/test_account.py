"""What speaks for a picture being the original, as messages."""

from index.imaging.originality.account import account


def test_a_weaker_sentence_is_left_out_where_a_stronger_one_says_it() -> None:
    codes = [message.code for message in account(["less_record", "no_record", "maker_note", "smaller"])]
    assert codes == ["origin.no_record", "origin.smaller"]
    assert [message.code for message in account(["maker_note"])] == ["origin.less_record"]
