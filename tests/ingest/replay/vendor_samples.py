"""Small files in the layouts that vendors document, made up for these tests; no vendor's data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import databento_dbn as dbn
import pyarrow as pa
import pyarrow.parquet as pq

NOON = 1_705_320_000  # 2024-01-15 12:00 UTC, a Monday
NOON_US = NOON * 1_000_000
NS = 1_000_000_000


@dataclass(frozen=True)
class Sample:
    """A file of a vendor's. options: what inspect must be told. first: of its first record.

    count: records of the file. layout: the shipped mapping that inspect has to find.
    """

    layout: str
    name: str
    content: str | bytes | Callable[[Path], None]
    kind: str
    first: dict[str, Any]
    count: int
    options: tuple[str, ...] = field(default=())

    def write(self, folder: Path) -> Path:
        """Write the file and return where it is."""
        path = folder / self.name
        if isinstance(self.content, str):
            path.write_text(self.content)
        elif isinstance(self.content, bytes):
            path.write_bytes(self.content)
        else:
            self.content(path)
        return path


def lines(*rows: str) -> str:
    return "\n".join(rows) + "\n"


def tick(price: float, size: float, side: str | None = None, **more: Any) -> dict[str, Any]:
    return {"ts": NOON_US, "price": price, "size": size, "side": side, "action": "new"} | more


def quote(bid: float, ask: float, **more: Any) -> dict[str, Any]:
    return {"ts": NOON_US, "bid": bid, "ask": ask} | more


def bar(*prices: float, volume: float | None, minutes: int = 1, **more: Any) -> dict[str, Any]:
    ends = {"known_at": NOON_US + minutes * 60_000_000}
    named = dict(zip(("open", "high", "low", "close"), prices, strict=True))
    return {"ts": NOON_US, "volume": volume} | named | ends | more


def databento(schema: str, *records: Any) -> bytes:
    mapping = SimpleNamespace(start_date=date(2024, 1, 1), end_date=date(2024, 2, 1), symbol="5602")
    metadata = dbn.Metadata(
        dataset="GLBX.MDP3",
        start=NOON * NS,
        stype_in=dbn.SType.RAW_SYMBOL,
        stype_out=dbn.SType.INSTRUMENT_ID,
        schema=dbn.Schema.from_str(schema),
        symbols=["ESH4"],
        mappings=[SimpleNamespace(raw_symbol="ESH4", intervals=[mapping])],
    )
    return bytes(metadata) + b"".join(map(bytes, records))


def trade_of(at: int, side: Any, kind: Any = dbn.TradeMsg, **more: Any) -> Any:
    return kind(
        publisher_id=1,
        instrument_id=5602,
        ts_event=NOON * NS + at,
        price=4_800_250_000_000,
        size=3,
        action=dbn.Action.TRADE,
        side=side,
        depth=0,
        ts_recv=NOON * NS + at + 250_000,
        sequence=7,
        **more,
    )


LEVEL: Any = dbn.BidAskPair(4_800_000_000_000, 4_800_250_000_000, 11, 12, 3, 4)
TOUCH = {"bid": 4800.0, "bid_size": 11.0, "ask": 4800.25, "ask_size": 12.0}
BOOK = dbn.MBP1Msg(
    1, 5602, NOON * NS, 4_800_000_000_000, 1, dbn.Action.ADD, dbn.Side.BID, 0,
    NOON * NS + 250_000, sequence=7, levels=LEVEL,
)  # fmt: skip
MBP1_CSV = (
    "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,"
    "ts_in_delta,sequence,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,bid_ct_00,ask_ct_00,symbol"
)
TRADES_CSV = MBP1_CSV.partition(",bid_px_00")[0] + ",symbol"
EVENT = "2024-01-15T12:00:00.000000000Z"
RECEIVED = "2024-01-15T12:00:00.000250000Z"
PRETTY = f"{RECEIVED},{EVENT},1,1,5602"
RAW = f"{NOON * NS + 250_000},{NOON * NS},1,1,5602"
DATABENTO = [
    Sample(
        "databento_trades",
        "glbx-mdp3-20240115.trades.dbn",
        databento("trades", trade_of(0, dbn.Side.BID), trade_of(0, dbn.Side.ASK)),
        "trade",
        tick(4800.25, 3.0, "buy", symbol="ESH4", seq=7_000_000, known_at=NOON_US + 250),
        2,
    ),
    Sample(
        "databento_mbp1",
        "futures_mbp-1_2024.dbn",
        databento("mbp-1", BOOK, trade_of(5, dbn.Side.BID, dbn.MBP1Msg, levels=LEVEL)),
        "quote",
        quote(**TOUCH, symbol="ESH4", seq=7_000_000, known_at=NOON_US + 250),
        2,
    ),
    Sample(
        "databento_tbbo",
        "es.tbbo.dbn",
        databento("tbbo", trade_of(0, dbn.Side.ASK, dbn.MBP1Msg, levels=LEVEL)),
        "trade",
        tick(4800.25, 3.0, "sell", symbol="ESH4"),
        1,
    ),
    Sample(
        "databento_bbo",
        "es.bbo-1s.dbn",
        databento(
            "bbo-1s",
            dbn.BBOMsg(
                0xC3, 1, 5602, NOON * NS - 5, 4_800_250_000_000, 3, dbn.Side.BID, NOON * NS,
                sequence=7, levels=LEVEL,
            ),
        ),
        "quote",
        quote(**TOUCH, known_at=NOON_US, symbol="ESH4"),
        1,
    ),
    Sample(
        "databento_ohlcv",
        "es.ohlcv-1m.dbn",
        databento(
            "ohlcv-1m",
            dbn.OHLCVMsg(33, 1, 5602, NOON * NS, 10 * NS, 12 * NS, 9 * NS, 11 * NS, 40),
        ),
        "bar",
        bar(10.0, 12.0, 9.0, 11.0, volume=40.0, symbol="ESH4"),
        1,
    ),
    Sample(
        "databento_trades",
        "pretty.csv",
        lines(TRADES_CSV, f"{PRETTY},T,A,0,4800.25,3,0,0,7,ESH4"),
        "trade",
        tick(4800.25, 3.0, "sell", symbol="ESH4", known_at=NOON_US + 250),
        1,
    ),
    Sample(
        "databento_mbp1",
        "raw.csv",
        lines(
            MBP1_CSV.removesuffix(",symbol"),
            f"{RAW},A,B,0,4800000000000,1,0,0,7,4800000000000,4800250000000,11,12,3,4",
            f"{RAW},C,A,0,4800250000000,1,0,0,8,4800000000000,{2**63 - 1},11,0,3,0",
        ),
        "quote",
        quote(**TOUCH, symbol="ESH4", known_at=NOON_US + 250),
        2,
        ("--symbol", "ESH4"),
    ),
]  # fmt: skip

KLINES = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume"
BINANCE = [
    Sample(
        "binance_raw_trades",
        "BTCUSDT-trades-2024-01-15.csv",
        lines(
            f"901,42000.10000000,0.00500000,210.00050000,{NOON}000,True,True",
            f"902,42000.20000000,0.01000000,420.00200000,{NOON}003,False,True",
        ),
        "trade",
        tick(42000.1, 0.005, "sell", symbol="BTCUSDT", seq=901),
        2,
    ),
    Sample(
        "binance_raw_trades",
        "ETHUSDT-trades-2025-01.csv",
        lines(
            "id,price,qty,quote_qty,time,is_buyer_maker",
            f"901,2500.1,1.5,3750.15,{NOON}000,false",
        ),
        "trade",
        tick(2500.1, 1.5, "buy", symbol="ETHUSDT", seq=901),
        1,
    ),
    Sample(
        "binance_agg_trades",
        "BTCUSDT-aggTrades-2025-01-15.csv",
        lines(f"31,42000.1,0.005,901,903,{NOON}000000,False,True"),
        "trade",
        tick(42000.1, 0.005, "buy", symbol="BTCUSDT", seq=31),
        1,
    ),
    Sample(
        "binance_klines",
        "BTCUSDT-1m-2024-01-15.csv",
        lines(
            f"{NOON}000,10.0,12.0,9.0,11.0,40.5,{NOON + 59}999,425.1,17,20.1,211.0,0",
            f"{NOON + 60}000,11.0,11.5,10.5,11.2,20.5,{NOON + 119}999,225.1,9,10.1,111.0,0",
        ),
        "bar",
        bar(10.0, 12.0, 9.0, 11.0, volume=40.5, symbol="BTCUSDT"),
        2,
    ),
    Sample(
        "binance_klines",
        "BTCUSDT-5m-2024-01.csv",
        lines(
            f"{KLINES},taker_buy_quote_volume,ignore",
            f"{NOON}000,10.0,12.0,9.0,11.0,40.5,{NOON + 299}999,425.1,17,20.1,211.0,0",
            f"{NOON + 300}000,11.0,11.5,10.5,11.2,20.5,{NOON + 599}999,225.1,9,10.1,111.0,0",
        ),
        "bar",
        bar(10.0, 12.0, 9.0, 11.0, volume=40.5, minutes=5, symbol="BTCUSDT"),
        2,
    ),
]
CRYPTO = [
    Sample(
        "kraken_trades",
        "XBTUSD.csv",
        lines(f"{NOON}.000000,42000.1,0.00500000", f"{NOON}.123457,42000.2,1.5"),
        "trade",
        tick(42000.1, 0.005, symbol="XBTUSD"),
        2,
    ),
    Sample(
        "kraken_ohlcvt",
        "XBTUSD_1.csv",
        lines(f"{NOON},10.0,12.0,9.0,11.0,40.5,17", f"{NOON + 60},11.0,12.0,10.5,11.5,4.5,3"),
        "bar",
        bar(10.0, 12.0, 9.0, 11.0, volume=40.5, symbol="XBTUSD"),
        2,
    ),
    Sample(
        "coinbase_trades",
        "trades.csv",
        lines("time,trade_id,price,size,side", "2024-01-15T12:00:00.000000Z,901,42000.1,0.005,buy"),
        "trade",
        tick(42000.1, 0.005, "sell", symbol="BTC-USD", seq=901),
        1,
        ("--symbol", "BTC-USD"),
    ),
    Sample(
        "coinbase_matches",
        "matches.jsonl",
        lines(
            '{"type":"last_match","trade_id":901,"maker_order_id":"a","taker_order_id":"b",'
            '"side":"sell","size":"0.005","price":"42000.1","product_id":"BTC-USD","sequence":50,'
            '"time":"2024-01-15T12:00:00.000000Z"}',
            '{"type":"heartbeat","sequence":51,"product_id":"BTC-USD"}',
        ),
        "trade",
        tick(42000.1, 0.005, "buy", symbol="BTC-USD", seq=901),
        1,
    ),
    Sample(
        "tardis_trades",
        "bitmex_trades_2024-01-15_XBTUSD.csv",
        lines(
            "exchange,symbol,timestamp,local_timestamp,id,side,price,amount",
            f"bitmex,XBTUSD,{NOON_US},{NOON_US + 90_000},11111111-2222-8333-9444-555555555555,"
            "sell,42000.5,2000",
            f"bitmex,XBTUSD,{NOON_US},{NOON_US + 90_000},,buy,42000.5,10",
        ),
        "trade",
        tick(42000.5, 2000.0, "sell", symbol="XBTUSD", known_at=NOON_US + 90_000),
        2,
    ),
    Sample(
        "tardis_quotes",
        "bitmex_quotes_2024-01-15_XBTUSD.csv",
        lines(
            "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount",
            f"bitmex,XBTUSD,{NOON_US},{NOON_US + 90_000},12,4800.25,4800,11",
        ),
        "quote",
        quote(**TOUCH, symbol="XBTUSD", known_at=NOON_US + 90_000),
        1,
    ),
]
POLYGON = (
    "ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,"
    "sip_timestamp,size,tape,trf_id,trf_timestamp"
)
ALPACA = '"x":"D","z":"B"'
EQUITIES = [
    Sample(
        "polygon_trades",
        "2024-01-15.csv",
        lines(
            POLYGON,
            f'A,"12,37",0,11,52983525035312,{NOON}000000000,142.99,3807,{NOON}000035000,5,1,0,0',
            f"A,12,8,11,52983525035313,{NOON}000000500,143,3808,{NOON}000035500,8,1,0,0",
            f"A,12,10,11,52983525035313,{NOON + 9}000000000,143,3999,{NOON + 9}000035000,8,1,0,0",
            f"A,12,12,11,52983525035314,{NOON + 9}000000000,143,4000,{NOON + 9}000035000,8,1,0,0",
        ),
        "trade",
        tick(142.99, 5.0, symbol="A", seq=3807, known_at=NOON_US + 35),
        3,
    ),
    Sample(
        "alpaca_trades",
        "aapl.csv",
        lines(
            "symbol,timestamp,exchange,price,size,id,conditions,tape",
            "AAPL,2024-01-15 12:00:00.000000500+00:00,V,142.99,5.0,52983525035312,\"['@', 'I']\",C",
        ),
        "trade",
        tick(142.99, 5.0, symbol="AAPL"),
        1,
    ),
    Sample(
        "alpaca_stream",
        "stream.jsonl",
        lines(
            '[{"T":"success","msg":"connected"}]',
            f'[{{"T":"t","S":"IWM","i":71,"p":208.65,"s":300,"c":["@"],{ALPACA},'
            '"t":"2024-01-15T12:00:00.000000661Z"},'
            f'{{"T":"t","S":"IWM","i":72,"p":208.70,"s":10,"c":["@"],{ALPACA},'
            '"t":"2024-01-15T12:00:01Z"}]',
            f'[{{"T":"c","S":"IWM","oi":71,"op":208.65,"os":300,"oc":["@"],"ci":75,"cp":208.6,'
            f'"cs":200,"cc":["@"],{ALPACA},"t":"2024-01-15T12:00:05Z"}}]',
            f'[{{"T":"x","S":"IWM","i":72,"p":208.70,"s":10,"a":"C",{ALPACA},'
            '"t":"2024-01-15T12:00:06Z"}]',
            f'[{{"T":"x","S":"IWM","i":75,"p":208.6,"s":200,"a":"C",{ALPACA},'
            '"t":"2024-01-15T12:00:07Z"}]',
        ),
        "trade",
        tick(208.65, 300.0, symbol="IWM"),
        5,
    ),
]
FX = [
    Sample(
        "truefx_quotes",
        "EURUSD-2024-01.csv",
        lines(
            "EUR/USD,20240115 12:00:00.000,1.09511,1.09515",
            "EUR/USD,20240115 12:00:00.123,1.09512,1.09516",
        ),
        "quote",
        quote(1.09511, 1.09515, symbol="EUR/USD"),
        2,
    ),
    Sample(
        "dukascopy_ticks",
        "EURUSD_Ticks_15.01.2024-15.01.2024.csv",
        lines(
            "Gmt time,Ask,Bid,AskVolume,BidVolume",
            "15.01.2024 12:00:00.000,1.09515,1.09511,0.9,1.5",
        ),
        "quote",
        quote(1.09511, 1.09515, ask_size=0.9, bid_size=1.5, symbol="EURUSD"),
        1,
    ),
    Sample(
        "dukascopy_candles",
        "EURUSD_Candlestick_1_M_BID_15.01.2024-15.01.2024.csv",
        lines(
            "Gmt time,Open,High,Low,Close,Volume",
            "15.01.2024 12:00:00.000,1.1,1.3,1.0,1.2,90.5",
            "15.01.2024 12:01:00.000,1.2,1.3,1.1,1.2,20.5",
        ),
        "bar",
        bar(1.1, 1.3, 1.0, 1.2, volume=90.5, symbol="EURUSD"),
        2,
    ),
    Sample(
        "histdata_ticks",
        "DAT_ASCII_EURUSD_T_202401.csv",
        lines("20240115 070000000,1.09511,1.09515,0", "20240115 070000660,1.09512,1.09516,0"),
        "quote",
        quote(1.09511, 1.09515, symbol="EURUSD"),
        2,
    ),
    Sample(
        "histdata_bars",
        "DAT_ASCII_EURUSD_M1_202401.csv",
        lines("20240115 070000;1.1;1.3;1.0;1.2;0", "20240115 070100;1.2;1.3;1.1;1.2;0"),
        "bar",
        bar(1.1, 1.3, 1.0, 1.2, volume=None, symbol="EURUSD"),
        2,
    ),
]


def nautilus(width: int, **columns: Any) -> Callable[[Path], None]:
    """A file of NautilusTrader's catalog: numbers as little-endian integers of so many bytes."""
    scale: int = {8: 9, 16: 16}[width]

    def cell(value: float) -> bytes:
        whole: int = round(value * 10**scale)
        return whole.to_bytes(width, "little", signed=True)

    def column(values: Any) -> Any:
        if isinstance(values[0], float):
            return pa.array([cell(value) for value in values], pa.binary(width))
        return pa.array(values)

    def write(path: Path) -> None:
        table = pa.table({name: column(values) for name, values in columns.items()})
        said = {"instrument_id": "ETHUSDT.BINANCE", "price_precision": "2"}
        pq.write_table(table.replace_schema_metadata(said), path)

    return write


CLOCKS = {"ts_event": [NOON * NS], "ts_init": [NOON * NS + 90_000]}
PRICES = {"open": [10.0], "high": [12.0], "low": [9.0], "close": [11.0], "volume": [40.5]}
NAUTILUS = [
    Sample(
        "nautilus_trades",
        f"trades_{width}.parquet",
        nautilus(
            width, price=[2500.25], size=[1.5], aggressor_side=[2], trade_id=["TCW7-9"], **CLOCKS
        ),
        "trade",
        tick(2500.25, 1.5, "sell", symbol="ETHUSDT.BINANCE", known_at=NOON_US + 90),
        1,
    )
    for width in (8, 16)
] + [
    Sample(
        "nautilus_quotes",
        "quotes.parquet",
        nautilus(
            8, bid_price=[4800.0], ask_price=[4800.25], bid_size=[11.0], ask_size=[12.0], **CLOCKS
        ),
        "quote",
        quote(**TOUCH, symbol="ETHUSDT.BINANCE"),
        1,
    ),
    Sample(
        "nautilus_bars",
        "bars.parquet",
        nautilus(8, **PRICES, ts_event=[NOON * NS + 60 * NS], ts_init=[NOON * NS + 60 * NS]),
        "bar",
        bar(10.0, 12.0, 9.0, 11.0, volume=40.5, symbol="ETHUSDT.BINANCE"),
        1,
        ("--interval", "1m"),
    ),
]
NEW_YORK_US = 1_705_294_800_000_000  # midnight in New York of that day
DAY = {"ts": NEW_YORK_US, "known_at": NEW_YORK_US + 86_400_000_000}
YAHOO = [
    Sample(
        "yahoo_daily",
        "AAPL.csv",
        lines(
            "Date,Open,High,Low,Close,Adj Close,Volume",
            "2024-01-15,10.0,12.0,9.0,11.0,10.9,4000",
            "2024-01-16,null,null,null,null,null,null",
            "2024-01-17,11.0,12.0,9.0,11.0,10.9,5000",
            "2024-01-18,11.0,12.0,9.0,11.0,10.9,5000",
        ),
        "bar",
        bar(10.0, 12.0, 9.0, 11.0, volume=4000.0, symbol="AAPL") | DAY,
        3,
        ("--zone", "America/New_York"),
    ),
    Sample(
        "yahoo_yfinance",
        "MSFT.csv",
        lines(
            "Price,Close,High,Low,Open,Volume",
            "Ticker,MSFT,MSFT,MSFT,MSFT,MSFT",
            "Date,,,,,",
            "2024-01-15,11.0,12.0,9.0,10.0,4000",
            "2024-01-16,11.0,12.0,9.0,11.0,5000",
        ),
        "bar",
        bar(10.0, 12.0, 9.0, 11.0, volume=4000.0, symbol="MSFT") | DAY,
        2,
        ("--zone", "America/New_York"),
    ),
]
SAMPLES = [*DATABENTO, *BINANCE, *CRYPTO, *EQUITIES, *FX, *NAUTILUS, *YAHOO]
