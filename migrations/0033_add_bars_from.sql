-- depends: 0003_create_reference 0032_create_waiting_history
-- purpose: an instrument says what its bars are made of: its trades, or the mids of its quotes
-- lock: access exclusive on market.instrument, for a moment; no row is written
set local role market_owner;

alter table market.instrument
add column bars_from text not null default 'trade'
constraint instrument_bars_from_check check (bars_from in ('trade', 'quote'));
comment on column market.instrument.bars_from is
'What its one-minute bars are made of, market.bar_1m: trade, or quote, the mids of its two-sided '
'quotes. A change counts for the versions that are written from then on: docs/point-in-time.md.';

comment on column feature.changed_bar.has_trades is
'Whether trades changed; false: quotes alone. market.instrument.bars_from says which make a bar.';
comment on table feature.quoted_series is
'One row per series that had ticks that make no bar of its instrument (market.bars_from()) before '
'it had a version; it may have others since. What feature.untraded_series() looks through.';
comment on table feature.waiting_history is
'One row per series and UTC day with bars that were known as a whole by feature.clock.live_from, '
'have no version, and so wait for feature.backfill(). Written by publishes, taken by the backfill. '
'Read it through feature.history_waits().';
comment on table feature.log is
'One row per version of a bar''s features: what was known of the bar from known_at until the '
'known_at of its next version. Append-only. A version without values says that the bar has gone, '
'because all the trades, or quotes, that it was made of were cancelled.';
