create or replace function market.replace_ticks(
    p_kind text, p_values text, p_ended bigint[], p_begun bigint[], p_known_at timestamptz[]
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key record;
begin
    -- one by one: of a compressed chunk, just the segment of a key that is named is decompressed
    for v_key in execute format(
        'select tenant_id, symbol, ts, seq from market.%I where event_no = any($1)',
        p_kind || '_event'
    ) using p_ended loop
        execute format(
            'delete from market.%I where (tenant_id, symbol, ts, seq) = ($1, $2, $3, $4)', p_kind
        ) using v_key.tenant_id, v_key.symbol, v_key.ts, v_key.seq;
    end loop;

    execute format(
        $q$
            insert into market.%1$I (
                tenant_id, symbol, ts, seq, %3$s, known_at,
                source_topic, source_partition, source_offset
            )
            select
                e.tenant_id, e.symbol, e.ts, e.seq, %3$s, n.known_at,
                e.source_topic, e.source_partition, e.source_offset
            from unnest($1, $2) as n (event_no, known_at)
            inner join market.%2$I as e using (event_no)
            -- another session brought it at the same moment
            on conflict (tenant_id, symbol, ts, seq) do nothing
        $q$,
        p_kind, p_kind || '_event', p_values
    ) using p_begun, p_known_at;
end
$$;
revoke all on function market.replace_ticks(
    text, text, bigint[], bigint[], timestamptz[]
) from public;
grant execute on function market.replace_ticks(
    text, text, bigint[], bigint[], timestamptz[]
) to market_ingest;
comment on function market.replace_ticks(text, text, bigint[], bigint[], timestamptz[]) is
'Deletes the ticks of the events p_ended from market.<p_kind> and inserts those of the events '
'p_begun, as known at p_known_at, element by element. p_kind, p_values: as of '
'market.apply_ticks(). Last step of market.believe_events().';
