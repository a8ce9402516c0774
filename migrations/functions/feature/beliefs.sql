create or replace function feature.beliefs(
    p_kind text, p_tenant_id integer, p_symbol text, p_from timestamptz, p_to timestamptz
) returns table (
    ts timestamptz,
    seq bigint,
    tick jsonb,
    known_at timestamptz,
    source_topic text,
    source_partition integer,
    source_offset bigint,
    superseded_at timestamptz,
    cause text,
    superseded_topic text,
    superseded_partition integer,
    superseded_offset bigint
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query execute format(
        $q$
            select
                b.ts, b.seq, jsonb_build_object(%s), b.known_at,
                b.source_topic, b.source_partition, b.source_offset, b.superseded_at, b.cause,
                b.superseded_topic, b.superseded_partition, b.superseded_offset
            from market.%I as b
            where b.tenant_id = $1 and b.symbol = $2 and b.ts >= $3 and b.ts < $4
        $q$,
        ltrim(feature.tick_list(p_kind, ', %1$L, b.%1$I'), ', '), p_kind || '_belief'
    ) using p_tenant_id, p_symbol, p_from, p_to;
end
$$;
revoke all on function feature.beliefs(
    text, integer, text, timestamptz, timestamptz
) from public;
comment on function feature.beliefs(text, integer, text, timestamptz, timestamptz) is
'The rows of market.<p_kind>_belief of a series with ts in [p_from, p_to); tick: its values. '
'p_kind: trade, quote or bar. For feature.events_behind().';
