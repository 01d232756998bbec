import pytest
from fastapi import Request
from pydantic import SecretStr

from services.kit.token import token_gate
from stoculus.errors import Unauthenticated

TOKEN = "1f2e3d4c5b6a7988"


def request_with(header: str) -> Request:
    return Request({"type": "http", "headers": [(b"authorization", header.encode("latin-1"))] if header else []})


def test_where_there_is_no_token_everybody_is_let_in() -> None:
    token_gate(None)(request_with(""))
    token_gate(None)(request_with("Bearer any"))


def test_who_has_the_token_is_let_in() -> None:
    token_gate(SecretStr(TOKEN))(request_with(f"Bearer {TOKEN}"))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}0", "Bearer é"])
def test_everybody_else_is_refused_and_not_told_the_token(header: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        token_gate(SecretStr(TOKEN))(request_with(header))

    assert TOKEN not in f"{refused.value}{refused.value.detail}"
