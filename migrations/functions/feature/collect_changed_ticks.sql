-- depends: functions/market/tick_kinds
create or replace function feature.collect_changed_ticks(p_known_at timestamptz) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_kind record;
begin
    for v_kind in
        select
            k.name,
            feature.tick_list(k.name, ', b.%I') as vals
        from unnest(market.tick_kinds()) as k (name)
    loop
        -- sought by the key, series by series (offset 0): joined as a whole, all ticks would be read
        execute format(
            $q$
                create temp table series_%1$s on commit drop as
                select c.series_no, c.symbol, t.*
                from due as c
                cross join lateral (
                    select b.ts, b.seq%2$s, b.known_at
                    from market.%1$s_belief as b
                    where
                        b.tenant_id = c.tenant_id
                        and b.symbol = c.symbol
                        and b.ts >= c.bucket
                        and b.ts < c.bucket + interval '1 minute'
                        and b.known_at <= $1
                        and b.superseded_at > $1
                    offset 0
                ) as t
                order by c.series_no, t.ts, t.seq
            $q$,
            v_kind.name, v_kind.vals
        ) using p_known_at;
        execute format('analyze series_%s', v_kind.name);
    end loop;
end
$$;
revoke all on function feature.collect_changed_ticks(timestamptz) from public;
comment on function feature.collect_changed_ticks(timestamptz) is
'Makes the temporary tables series_trade, series_quote and series_bar: the ticks of the bars in '
'due as they were believed at p_known_at, by series_no, ts and seq: what feature.own_value() '
'reads. Step of feature.publish().';
