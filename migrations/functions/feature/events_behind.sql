-- depends: functions/feature/beliefs
create or replace function feature.events_behind(
    p_tenant_id integer,
    p_symbol text,
    p_from timestamptz,
    p_bucket timestamptz,
    p_to timestamptz default null,
    p_quotes_from timestamptz default null
) returns table (
    kind text,
    action text,
    bucket timestamptz,
    ts timestamptz,
    seq bigint,
    was jsonb,
    tick jsonb,
    known_at timestamptz,
    topic text,
    partition integer,
    "offset" bigint
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    c_origin constant timestamptz := timestamptz '2000-01-01 00:00:00+00';
    v_bars_from constant text := market.bars_from(p_symbol);
begin
    return query
    with belief as (
        select
            k.kind,
            b.*
        from unnest(market.tick_kinds()) as k (kind)
        cross join lateral feature.beliefs(
            k.kind, p_tenant_id, p_symbol,
            case k.kind
                when v_bars_from then p_from
                when 'quote' then coalesce(p_quotes_from, p_bucket)
                else 'infinity'
            end,
            coalesce(p_to, p_bucket + interval '1 minute')
        ) as b
    )

    -- a belief that replaces another belongs to the correction
    select
        b.kind,
        'new',
        date_bin(interval '1 minute', b.ts, c_origin),
        b.ts,
        b.seq,
        null,
        b.tick,
        b.known_at,
        b.source_topic,
        b.source_partition,
        b.source_offset
    from belief as b
    where not exists (
        select from belief as o
        where
            (o.kind, o.ts, o.seq) = (b.kind, b.ts, b.seq)
            and o.superseded_at = b.known_at
            and o.cause = 'correction'
            -- a tick that was corrected at the moment at which it became known
            and (o.known_at < o.superseded_at or b.known_at < b.superseded_at)
    )
    union all
    select
        b.kind,
        b.cause,
        date_bin(interval '1 minute', b.ts, c_origin),
        b.ts,
        b.seq,
        b.tick,
        r.tick,
        b.superseded_at,
        b.superseded_topic,
        b.superseded_partition,
        b.superseded_offset
    from belief as b
    left join belief as r
        on
            b.cause = 'correction'
            and (b.kind, b.ts, b.seq, b.superseded_at) = (r.kind, r.ts, r.seq, r.known_at)
            and r.known_at < r.superseded_at
    where b.superseded_at < 'infinity';
end
$$;
revoke all on function feature.events_behind(
    integer, text, timestamptz, timestamptz, timestamptz, timestamptz
) from public;
comment on function feature.events_behind(
    integer, text, timestamptz, timestamptz, timestamptz, timestamptz
) is
'The events that a bar can have been changed by: of what bars are made of (market.bars_from()), '
'from p_from to p_to, the end of the bar p_bucket, default a minute later; of quotes else, from '
'p_quotes_from, default the bar; of others else, none. Columns: kind (trade, quote or bar), action '
'(new, correction, cancel), bucket, of the minute, ts, seq, was and tick (its values before and '
'after), known_at, and the Kafka topic, partition and offset of the message. For '
'feature.explain_restatement().';
