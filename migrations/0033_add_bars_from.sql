-- depends: 0003_create_reference 0014_create_feature_log
-- purpose: an instrument says what its bars are made of: its trades, the mids of its quotes, or
--   bars that its vendor made
-- lock: access exclusive on market.instrument, for a moment; no row is written
set local role market_owner;

alter table market.instrument
add column bars_from text not null default 'trade'
constraint instrument_bars_from_check check (bars_from in ('trade', 'quote', 'bar'));
comment on column market.instrument.bars_from is
'What its one-minute bars are made of, market.bar_1m: trade; quote, the mids of its two-sided '
'quotes; or bar, those of market.bar as their vendor made them. A change counts for the versions '
'that are written from then on: docs/point-in-time.md.';

comment on table feature.log is
'One row per version of a bar''s features: what was known of the bar from known_at until the '
'known_at of its next version. Append-only. A version without values says that the bar has gone, '
'because all that it was made of was cancelled.';
