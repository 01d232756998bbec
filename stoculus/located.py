"""An InvalidRequest that a pydantic validator raises, kept with its place in the request."""

from collections.abc import Callable
from typing import Any, Final

from pydantic import WrapValidator
from pydantic_core import PydanticCustomError

from stoculus.errors import InvalidRequest


def _keep_path(value: Any, validate: Callable[[Any], Any]) -> Any:
    try:
        return validate(value)
    except InvalidRequest as error:
        # The message is put in last: its own braces are no template then.
        context = {"field": error.field or "", "remedy": error.remedy, "message": error.message}
        raise PydanticCustomError("invalid_request", "{message}", context) from error


Located: Final = WrapValidator(_keep_path)
"""`list[Annotated[StockTask, Located]]`: an InvalidRequest that the model's validators raise keeps its remedy, and its
field gets the path of the element before it (`tasks[3].ticker`). Without it pydantic lets the error through with the
bare field.
"""
