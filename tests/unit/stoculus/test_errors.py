from stoculus.errors import BrokerUnavailable, InvalidRequest, StoculusError, VendorBusy


def test_the_code_is_the_class_name_in_snake_case() -> None:
    assert VendorBusy("").code == "vendor_busy"
    assert StoculusError("").code == "stoculus_error"


def test_the_text_is_the_message_and_the_remedy() -> None:
    assert str(BrokerUnavailable("Kafka is away.", remedy="Start it.")) == "Kafka is away. Start it."
    assert str(BrokerUnavailable("Kafka is away.")) == "Kafka is away."


def test_field_and_detail_are_kept_apart_from_the_text() -> None:
    error = InvalidRequest("Wrong.", detail="evidence", field="data[0].symbols[1]")

    assert (error.field, error.detail, str(error)) == ("data[0].symbols[1]", "evidence", "Wrong.")


def test_what_may_help_later_is_told_by_503() -> None:
    assert VendorBusy.http_status == 503
    assert InvalidRequest.http_status == 422
