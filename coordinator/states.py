"""What an observed state is."""

from enum import StrEnum


class State(StrEnum):
    """A state whose member knows whether anything follows by itself."""

    is_terminal: bool

    def __new__(cls, value: str, is_terminal: bool) -> "State":
        member = str.__new__(cls, value)
        member._value_ = value
        member.is_terminal = is_terminal
        return member
