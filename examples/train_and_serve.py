"""Train a small model on a point-in-time training set, then serve it the same features online.

    make example          after make demo, or on your own data

The label is whether the close five minutes later is higher. It is asked for in the same way, with
a later moment: a label may know the future, a feature may not. On the demo's random day expect an
AUC near 0.5; what the example shows is that training and serving see the same numbers, and that a
model carries a receipt of what it learned from, by which anyone can see later that it is still so.
A series whose market is closed has no numbers online, which are then compared with nothing.
"""

import io
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta

import pandas as pd
from feast import FeatureStore
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from embedded.errors import UserError
from feast_repo.quiet import hide_experimental
from feast_repo.receipts import verify, with_receipts
from feast_repo.store import apply, open_store

HORIZON = timedelta(minutes=5)
KEYS = ["tenant_id", "symbol"]
NUMBERS = ["close_to_vwap", "close_to_sma_20", "range_bps", "volatility_1h", "order_imbalance"]
FEATURES = [
    *("ratio:close_to_vwap", "ratio:close_to_sma_20", "ratio:range_bps"),
    *("signal:volatility_1h", "signal:regime_tag", "liquidity:order_imbalance"),
]
# A moment for each of the newest closed bars that have a label: SQL works as an entity frame.
MOMENTS = f"""
    select newest.tenant_id, newest.symbol, newest.event_timestamp
    from (
        select l.tenant_id::bigint as tenant_id, l.symbol, l.known_at as event_timestamp
        from feature.log as l
        where
            l.cause = 'close'
            and l.known_at <= (
                select max(n.known_at) from feature.log as n where n.cause = 'close'
            ) - interval '{HORIZON.total_seconds()} s'
        order by l.known_at desc
        limit 10000
    ) as newest
    order by newest.event_timestamp, newest.tenant_id, newest.symbol
"""


def training_set(store: FeatureStore) -> tuple[pd.DataFrame, dict[str, str]]:
    """Features as they were known at each moment, rises: 1 where the price then rose; receipts.

    Errors: UserError where there are no bars.
    """
    job = store.get_historical_features(MOMENTS, [*FEATURES, "bar:close"])
    frame, receipts = with_receipts(job)
    if len(frame) < 100:
        raise UserError(f"{len(frame)} bars are too few to train on: run make demo first")
    later = frame[KEYS].assign(event_timestamp=frame["event_timestamp"] + HORIZON)
    frame["rises"] = (
        store.get_historical_features(later, ["bar:close"]).to_df()["close"] > frame["close"]
    ).astype(int)
    return frame, receipts


def train(frame: pd.DataFrame) -> tuple[Pipeline, float]:
    """A logistic regression fitted on the first 70 % of the time, and its AUC on the rest."""
    split = frame["event_timestamp"].quantile(0.7)
    # labels of the last minutes before the split lie after it
    past = frame[frame["event_timestamp"] <= split - HORIZON]
    rest = frame[frame["event_timestamp"] > split]
    model = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
            (OneHotEncoder(handle_unknown="ignore"), ["regime_tag"]),
        ),
        LogisticRegression(),
    )
    model.fit(past, past["rises"])
    return model, float(roc_auc_score(rest["rises"], model.predict_proba(rest)[:, 1]))


def served(store: FeatureStore, keys: pd.DataFrame, at: datetime) -> pd.DataFrame:
    """The same features from the online store, brought to the moment at, and as_of, their time."""
    with redirect_stdout(io.StringIO()):  # Feast's progress
        store.materialize(at - HORIZON, at)
    answer = store.get_online_features(FEATURES, keys.to_dict("records"))
    names = list(answer.proto.metadata.feature_names.val)
    times = answer.proto.results[names.index("volatility_1h")].event_timestamps
    online = pd.DataFrame(answer.to_dict())
    return online.assign(event_timestamp=[time.ToDatetime(tzinfo=UTC) for time in times])


def compared(online: pd.DataFrame, offline: pd.DataFrame) -> tuple[int, int]:
    """How many values are the same online and offline, and of how many.

    One that is missing on both sides is no value: it is not counted. On one side, it differs.
    """
    columns = [*NUMBERS, "regime_tag"]
    there = online[columns].notna() | offline[columns].notna()
    same = (online[columns] == offline[columns]) & there
    return int(same.to_numpy().sum()), int(there.to_numpy().sum())


def main() -> int:
    """Train, serve, and compare; 1 where online and offline differ.

    Errors: UserError where nothing is online to compare.
    """
    print("a training set, a model and the same features online; Feast is being loaded", flush=True)
    hide_experimental()
    store = open_store()
    apply(store)
    frame, receipts = training_set(store)
    model, auc = train(frame)
    print(
        f"trained on {len(frame):,} rows, {frame['rises'].mean():.1%} of them rise; AUC {auc:.3f}"
    )
    for name, said in verify(store, frame, receipts).items():
        print(f"receipt of {name}: {receipts[name]}\n  {said['said']}")

    keys = frame[KEYS].drop_duplicates().reset_index(drop=True)
    online = served(store, keys, frame["event_timestamp"].max())
    offline = store.get_historical_features(online[[*KEYS, "event_timestamp"]], FEATURES).to_df()
    same, values = compared(online, offline)
    if not values:
        raise UserError(
            "nothing is online: every market has been closed for longer than the contract's 15 "
            "minutes. make demo ends with a live feed that is always open"
        )
    is_open = online[NUMBERS].notna().all(axis=1)
    print(offline[is_open][KEYS].assign(
        as_of=offline["event_timestamp"],
        online=model.predict_proba(online[is_open])[:, 1],
        offline=model.predict_proba(offline[is_open])[:, 1],
    ).to_string(index=False))  # fmt: skip
    if not is_open.all():
        closed = [f"{row.symbol} of {row.tenant_id}" for row in keys[~is_open].itertuples()]
        print(f"closed or too new, no prediction: {', '.join(closed)}")
    print(f"{same} of {values} values are the same online and offline")
    return 0 if same == values else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        raise SystemExit(130) from None
