"""Keys of a terminal, one at a time, as they are pressed."""

import os
import re
import select
import sys
import termios
import tty
from typing import Final, Self

_NAMES: Final = {b" ": "space", b"\x1b[A": "up", b"\x1b[B": "down", b"\x1b[C": "right", b"\x1b[D": "left"}
_ONE: Final = re.compile(rb"\x1b[\[O][A-D]|.", re.DOTALL)
_MOST_BYTES: Final = 64


class Keys:
    """Standard input, which is a terminal, without waiting for Enter; Ctrl-C still interrupts. Use it by `with`."""

    def __enter__(self) -> Self:
        self._file = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._file)
        tty.setcbreak(self._file)
        return self

    def __exit__(self, *_: object) -> None:
        termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)

    def pressed(self, timeout_s: float) -> list[str]:
        """The keys since the last call: space, up, down, left, right, or a character. It waits for one so long."""
        if not select.select([self._file], [], [], timeout_s)[0]:
            return []
        found = [key.replace(b"\x1bO", b"\x1b[") for key in _ONE.findall(os.read(self._file, _MOST_BYTES))]
        return [_NAMES.get(key, key.decode(errors="replace")) for key in found]
