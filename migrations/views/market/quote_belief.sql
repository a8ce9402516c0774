-- depends: functions/access/describe_view
create or replace view market.quote_belief as
select
    tenant_id,
    symbol,
    ts,
    seq,
    bid,
    bid_size,
    ask,
    ask_size,
    known_at,
    timestamptz 'infinity' as superseded_at,
    null::text as cause,
    source_topic,
    source_partition,
    source_offset,
    null::text as superseded_topic,
    null::integer as superseded_partition,
    null::bigint as superseded_offset
from market.quote
union all
select
    tenant_id,
    symbol,
    ts,
    seq,
    bid,
    bid_size,
    ask,
    ask_size,
    known_at,
    superseded_at,
    cause,
    source_topic,
    source_partition,
    source_offset,
    superseded_topic,
    superseded_partition,
    superseded_offset
from market.quote_superseded;
call access.describe_view('market.quote_belief', 'market.quote_superseded');
comment on view market.quote_belief is
'One row per version of a quote that is or was believed: in [known_at, superseded_at). What was '
'believed at a moment is the rows whose interval holds it: market.quote is those of now, '
'market.quote_superseded the others.';
comment on column market.quote_belief.superseded_at is
'Until when it was believed, exclusive; infinity: still.';
comment on column market.quote_belief.cause is 'correction or cancel; NULL: still believed.';
