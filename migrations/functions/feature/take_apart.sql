create or replace function feature.take_apart(p_known_at timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_causes constant text[] := array['late', 'correction', 'cancel'];
    v_set text;
begin
    for v_set in
        select f.feature_set
        from market.feature_set as f
        where f.made_of = 'tick' and f.feature_set <> 'market_1m'
    loop
        -- a correction or a cancel is tried at once
        update feature.set_aside as s set try_after = '-infinity'
        from due as d
        where
            s.feature_set = v_set
            and s.tenant_id = d.tenant_id
            and s.symbol = d.symbol
            and s.try_after > '-infinity'
            and d.only_set is null
            and d.cause_rank > 1;
        -- a series that is set aside here alone goes on in the others
        insert into feature.waiting_bar as w (
            feature_set, tenant_id, symbol, bucket, closes_at, cause, bars_before
        )
        select
            v_set, d.tenant_id, d.symbol, d.bucket, d.bucket + interval '1 minute',
            c_causes[d.cause_rank],
            -- what another set changes now it will not say again
            true
        from due as d
        inner join feature.set_aside as s
            on
                d.tenant_id = s.tenant_id
                and d.symbol = s.symbol
                and s.feature_set = v_set
                and s.try_after > p_known_at
        where d.only_set is null
        on conflict (feature_set, tenant_id, symbol, bucket) do update set bars_before = true;
        -- what it is still to make
        insert into due
        select
            (select coalesce(max(d.series_no), 0) from due as d) + row_number() over ()::integer,
            w.tenant_id,
            w.symbol,
            w.bucket,
            array_position(c_causes, w.cause),
            p_known_at,
            p_known_at,
            w.bars_before,
            null,
            v_set
        from feature.take_waiting(v_set, p_known_at) as w;
    end loop;
end
$$;
revoke all on function feature.take_apart(timestamptz) from public;
comment on function feature.take_apart(timestamptz) is
'Adds to the temporary table due, for each set made of ticks but market_1m, the bars that it '
'alone is still to make by the stamp p_known_at, with its name as only_set: those of '
'feature.waiting_bar. Those of a series that is set aside in it go there. Step of '
'feature.take_changed_bars().';
