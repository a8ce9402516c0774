create or replace view market.waiting_event as
select
    'trade' as kind,
    tenant_id,
    symbol,
    ts,
    seq,
    action,
    known_at,
    received_at,
    now() - received_at as waited,
    source_topic,
    source_partition,
    source_offset
from market.trade_event
where waiting
union all
select
    'quote' as kind,
    tenant_id,
    symbol,
    ts,
    seq,
    action,
    known_at,
    received_at,
    now() - received_at as waited,
    source_topic,
    source_partition,
    source_offset
from market.quote_event
where waiting
union all
select
    'bar' as kind,
    tenant_id,
    symbol,
    ts,
    seq,
    action,
    known_at,
    received_at,
    now() - received_at as waited,
    source_topic,
    source_partition,
    source_offset
from market.bar_event
where waiting;
comment on view market.waiting_event is
'One row per correction or cancel whose tick has not come. It is applied when that comes, and '
'waits until then: one that waits for long names a key that never was, for example another ts, '
'seq or symbol than the tick''s.';
comment on column market.waiting_event.kind is 'trade, quote or bar.';
comment on column market.waiting_event.tenant_id is 'Owner, market.tenant.';
comment on column market.waiting_event.symbol is 'Instrument, market.instrument.';
comment on column market.waiting_event.ts is 'Event time of the tick that it waits for.';
comment on column market.waiting_event.seq is 'Order of that tick among equal ts.';
comment on column market.waiting_event.action is 'correction or cancel.';
comment on column market.waiting_event.known_at is 'Its knowledge time.';
comment on column market.waiting_event.received_at is 'Since when it has waited.';
comment on column market.waiting_event.waited is 'How long it has waited.';
comment on column market.waiting_event.source_topic is 'Kafka topic it came from.';
comment on column market.waiting_event.source_partition is 'Kafka partition.';
comment on column market.waiting_event.source_offset is 'Kafka offset.';
