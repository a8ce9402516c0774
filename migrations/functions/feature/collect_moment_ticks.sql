-- depends: functions/market/tick_kinds
create or replace function feature.collect_moment_ticks() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_kind record;
begin
    for v_kind in
        select
            k.name,
            feature.tick_list(k.name, ', t.%I') as vals
        from unnest(market.tick_kinds()) as k (name)
    loop
        execute format(
            $q$
                create temp table series_%1$s on commit drop as
                select m.moment_no as series_no, t.symbol, t.ts, t.seq%2$s, t.known_at
                from moment as m
                inner join slice_%1$s as t
                    on
                        m.series_no = t.series_no
                        and m.bucket = t.bucket
                        and m.known_at >= t.known_at
                        and m.known_at < t.superseded_at
                order by m.moment_no, t.ts, t.seq
            $q$,
            v_kind.name, v_kind.vals
        );
        execute format('analyze series_%s', v_kind.name);
    end loop;
end
$$;
revoke all on function feature.collect_moment_ticks() from public;
comment on function feature.collect_moment_ticks() is
'Makes the temporary tables series_trade, series_quote and series_bar: the ticks of each moment''s '
'bar as they were believed then, with the moment''s number as series_no, by it, ts and seq: what '
'feature.own_value() reads. Step of feature.backfill_slice().';
