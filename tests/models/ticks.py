"""Ticks for the model tests: the real files, a random walk, and their way into the database."""

import math
import random
from pathlib import Path

import pandas as pd
import psycopg

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
TRADE = ["tenant_id", "symbol", "ts", "seq", "price", "size", "side", "known_at"]
QUOTE = [
    "tenant_id",
    "symbol",
    "ts",
    "seq",
    "bid",
    "bid_size",
    "ask",
    "ask_size",
    "known_at",
]


def _finish(rows: list[dict[str, object]], columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    frame["seq"] = range(len(frame))
    frame["known_at"] = frame["ts"]
    frame["tenant_id"] = 1
    frame = frame.reindex(columns=columns).astype(object)
    frame["ts"] = pd.to_datetime(frame["ts"], utc=True)
    return frame.where(frame.notna(), None)


def esh4_trades() -> pd.DataFrame:
    """Trades of the captured E-mini future: prices in points, contracts, aggressor side."""
    import databento_dbn
    import zstandard

    path = DATA / "esh4-20231225.mbo.dbn.zst"
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        decoder = databento_dbn.DBNDecoder()
        decoder.write(stream.read())
    rows: list[dict[str, object]] = [
        {
            "symbol": "ESH4",
            "ts": pd.Timestamp(record.ts_event, unit="ns", tz="UTC").floor("us"),
            "price": record.price / 1e9,
            "size": float(record.size),
            "side": {"A": "sell", "B": "buy"}.get(str(record.side)),
        }
        for record in decoder.decode()
        if isinstance(record, databento_dbn.MBOMsg) and str(record.action) == "T"
    ]
    return _finish(rows, TRADE)


def btcusdt_trades() -> pd.DataFrame:
    """Captured Binance trades; a buying maker means that the seller was the aggressor."""
    rows: list[dict[str, object]] = [
        {
            "symbol": "BTCUSDT",
            "ts": row.timestamp,
            "price": row.price,
            "size": row.quantity,
            "side": "sell" if str(row.buyer_maker).lower() == "true" else "buy",
        }
        for row in pd.read_parquet(DATA / "btcusdt-trades.parquet").itertuples()
    ]
    return _finish(rows, TRADE)


def btcusdt_quotes() -> pd.DataFrame:
    """Captured Binance best bid and offer updates."""
    source = pd.read_parquet(DATA / "btcusdt-quotes.parquet").rename(columns={"timestamp": "ts"})
    return _finish(source.assign(symbol="BTCUSDT").to_dict("records"), QUOTE)


def usdjpy_quotes() -> pd.DataFrame:
    """Captured dollar-yen quotes."""
    source = pd.read_csv(DATA / "usdjpy-quotes.csv").rename(columns={"timestamp": "ts"})
    source["ts"] = pd.to_datetime(source["ts"], utc=True, format="ISO8601")
    return _finish(source.assign(symbol="USDJPY").to_dict("records"), QUOTE)


def walk(symbol: str, seed: int, quiet: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Eight hours of made-up trades and quotes.

    With minutes and an hour without a trade, equal timestamps, trades of unknown side, one-sided
    and crossed quotes, drifts, a wild hour. quiet: the share of minutes that do not trade.
    """
    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    start = pd.Timestamp("2024-03-05 08:00", tz="UTC")
    price, trades, quotes = 100.0, [], []
    for minute in range(480):
        bucket = start + pd.Timedelta(minutes=minute)
        step = 0.004 if 300 <= minute < 330 else 0.0006
        drift = 0.0004 if 120 <= minute < 150 else -0.0004 if 400 <= minute < 430 else 0.0
        if rng.random() < quiet or 200 <= minute < 260:
            continue
        seconds = sorted(rng.choice([0, 7, 7, 7.5, 30, 59.999999]) for _ in range(6))
        known = rng.random() < 0.8
        for second in seconds:
            price = round(price * math.exp(rng.gauss(drift, step)), 2)
            side = rng.choice(["buy", "sell", None]) if known else None
            at = bucket + pd.Timedelta(seconds=second)
            size = rng.randint(1, 40) / 4
            trades.append({"symbol": symbol, "ts": at, "price": price, "size": size, "side": side})
            if rng.random() < 0.7:
                bid: float | None = price - rng.choice([0.01, 0.02, -0.03])
                ask: float | None = None if rng.random() < 0.1 else price + 0.01
                if ask is not None and rng.random() < 0.1:
                    bid = None
                quotes.append({"symbol": symbol, "ts": at, "bid": bid, "ask": ask})
    return _finish(trades, TRADE), _finish(quotes, QUOTE)


def crude(trades: pd.DataFrame, quotes: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same, but for half an hour below zero and a market maker's stub now and then."""
    first = trades["ts"].min().floor("min") + pd.Timedelta(minutes=90)
    below = trades["ts"].between(first, first + pd.Timedelta(minutes=30), inclusive="left")
    trades.loc[below, "price"] *= -0.37
    quotes.loc[::97, "bid"], quotes.loc[::97, "ask"] = 0.01, 199_999.99
    return trades, quotes


def copy(connection: psycopg.Connection, table: str, frame: pd.DataFrame) -> None:
    """COPY the frame into market.<table>, columns by name."""
    columns = ", ".join(frame.columns)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy market.{table} ({columns}) from stdin") as to,
    ):
        for row in frame.itertuples(index=False):
            to.write_row(row)
