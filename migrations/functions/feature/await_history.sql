-- depends: functions/feature/first_read_waits functions/feature/first_waits
--   functions/feature/published_of
create or replace function feature.await_history(
    p_set text, p_from timestamptz, p_to timestamptz
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    -- a bar that begins before p_from has minutes after it
    c_ahead constant interval := case
        when c_set.made_of = 'tick' then interval '0' else coalesce(c_set.span, interval '1 day')
    end;
    c_source constant text := coalesce(nullif(c_set.made_of, 'tick'), (feature.sets_read(p_set))[1]);
begin
    execute format(
        $q$
            insert into feature.waiting_range as w (
                feature_set, tenant_id, symbol, range_from, range_to, ready_to
            )
            select $1, s.tenant_id, s.symbol, $2, $3, $3
            from feature.series as s
            where exists (
                select from %s as l
                where
                    l.tenant_id = s.tenant_id
                    and l.symbol = s.symbol
                    and l.bucket >= $2
                    and l.bucket < $3
            )
            on conflict (feature_set, tenant_id, symbol) do update set
                range_from = least(w.range_from, excluded.range_from),
                range_to = greatest(w.range_to, excluded.range_to)
        $q$,
        (feature.published_of(c_source)).log
    ) using p_set, p_from - c_ahead, p_to;
    update feature.waiting_range as w
    -- a bar that is still short of minutes waits
    set ready_to = least(w.range_to, f.bucket - c_ahead, r.bucket - c_ahead)
    from feature.waiting_range as o
    left join feature.first_waits(p_from, p_to) as f
        on o.tenant_id = f.tenant_id and o.symbol = f.symbol
    left join feature.first_read_waits(p_set) as r
        on o.tenant_id = r.tenant_id and o.symbol = r.symbol
    where
        w.feature_set = p_set
        and o.feature_set = p_set
        and w.tenant_id = o.tenant_id
        and w.symbol = o.symbol;
end
$$;
revoke all on function feature.await_history(text, timestamptz, timestamptz) from public;
grant execute on function feature.await_history(text, timestamptz, timestamptz) to market_operator;
comment on function feature.await_history(text, timestamptz, timestamptz) is
'Notes in feature.waiting_range that the set p_set, which reads other sets, is to have its history '
'of [p_from, p_to) of each series that these have. Step of feature.backfill().';
