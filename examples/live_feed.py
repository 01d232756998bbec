"""The live tape as a feed: volume and volume-weighted average price of each stock since the start, as trades come.

    stoculus stream start --symbols AAPL,MSFT --schema trade --id tape
    python examples/live_feed.py stock-aapl-trade-live stock-msft-trade-live

The offsets of a batch are committed when the next one is asked for: what this program had in hand when it died comes
again. With the same `--group` a second one shares the topics, with another it gets everything too.
"""

import argparse
from collections import Counter
from contextlib import suppress

import pyarrow.compute as pc

import stoculus


def main(topics: list[str], group: str, limit: int | None) -> None:
    """Print a line for each batch of trades until Ctrl-C, or until `limit` records are read."""
    shares: Counter[str] = Counter()
    turnover: Counter[str] = Counter()
    with stoculus.subscribe(topics, group=group, limit=limit) as batches:
        for batch in batches:
            symbol = batch["symbol"][0].as_py()  # a topic holds one stock
            shares[symbol] += pc.sum(batch["size"]).as_py()
            turnover[symbol] += pc.sum(pc.multiply(batch["price"], batch["size"])).as_py()
            last = batch.slice(batch.num_rows - 1).to_pylist()[0]
            mean = turnover[symbol] / shares[symbol] if shares[symbol] else float("nan")
            told = f"{shares[symbol]:,} shares, VWAP {mean:.4f}, last {last['price']:.2f}"
            print(f"{last['ts_event']:%H:%M:%S.%f} UTC {symbol}: {batch.num_rows} trades; {told}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Volume and VWAP of live trades.")
    parser.add_argument("topics", nargs="+")
    parser.add_argument("--group", default="live-feed")
    parser.add_argument("--limit", type=int, help="end after so many records")
    given = parser.parse_args()
    with suppress(KeyboardInterrupt):
        main(given.topics, given.group, given.limit)
