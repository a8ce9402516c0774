-- depends: functions/access/describe_view
create or replace view market.trade_belief as
select
    tenant_id,
    symbol,
    ts,
    seq,
    price,
    size,
    side,
    known_at,
    timestamptz 'infinity' as superseded_at,
    null::text as cause,
    source_topic,
    source_partition,
    source_offset,
    null::text as superseded_topic,
    null::integer as superseded_partition,
    null::bigint as superseded_offset
from market.trade
union all
select
    tenant_id,
    symbol,
    ts,
    seq,
    price,
    size,
    side,
    known_at,
    superseded_at,
    cause,
    source_topic,
    source_partition,
    source_offset,
    superseded_topic,
    superseded_partition,
    superseded_offset
from market.trade_superseded;
call access.describe_view('market.trade_belief', 'market.trade_superseded');
comment on view market.trade_belief is
'One row per version of a trade that is or was believed: in [known_at, superseded_at). What was '
'believed at a moment is the rows whose interval holds it: market.trade is those of now, '
'market.trade_superseded the others.';
comment on column market.trade_belief.superseded_at is
'Until when it was believed, exclusive; infinity: still.';
comment on column market.trade_belief.cause is 'correction or cancel; NULL: still believed.';
