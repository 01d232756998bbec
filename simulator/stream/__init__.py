"""The terminal's WebSocket, `ws://<host>:25520/v1/events`, which plays one day (stream.md).

`requests` reads messages, `limits` judges them by tier, `link` is the terminal's own connection to the vendor; `feeds`
are the day's ticks of what is subscribed, `frames` spells them, `window` merges them by time, `player` paces them;
`clients` sends, `tape` takes rows from outside instead (`stoculus replay --to simulator`), `live` wires it all. What a
tester turns is `switches`, and the faults of the stream in `simulator.faults`.
"""
