create or replace function feature.find_changed(p_set text, p_known_at timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    c_causes constant text[] := array['late', 'correction', 'cancel'];
begin
    if p_set = 'market_1m' then
        create temp table changed on commit drop as
        select d.*
        from due as d
        where d.only_set is null;
        analyze changed;
        return;
    end if;
    -- a series that is set aside here alone goes on in the others
    insert into feature.waiting_bar as w (
        feature_set, tenant_id, symbol, bucket, closes_at, cause, bars_before
    )
    select
        p_set, d.tenant_id, d.symbol, d.bucket, d.bucket + c_set.span, c_causes[d.cause_rank],
        -- what another set changes now it will not say again
        true
    from due as d
    inner join feature.set_aside as s
        on
            d.tenant_id = s.tenant_id
            and d.symbol = s.symbol
            and s.feature_set = p_set
            and s.try_after > p_known_at
    where
        d.only_set is null
        -- a correction or a cancel is tried at once
        and d.cause_rank = 1
    on conflict (feature_set, tenant_id, symbol, bucket) do update set bars_before = true;
    execute format(
        $q$
            create temp table changed on commit drop as
            select
                d.*,
                v.version
            from (
                select
                    min(d.series_no) as series_no,
                    d.tenant_id,
                    d.symbol,
                    d.bucket,
                    max(d.cause_rank) as cause_rank,
                    bool_or(d.bars_before) as bars_before
                from due as d
                where
                    coalesce(d.only_set, $1) = $1
                    and not exists (
                        select from feature.waiting_bar as w
                        where
                            w.feature_set = $1
                            and w.tenant_id = d.tenant_id
                            and w.symbol = d.symbol
                            and w.bucket = d.bucket
                    )
                group by d.tenant_id, d.symbol, d.bucket
            ) as d
            left join lateral (
                select l as version
                from %s as l
                where l.tenant_id = d.tenant_id and l.symbol = d.symbol and l.bucket = d.bucket
                order by l.known_at desc
                limit 1
            ) as v on true
        $q$,
        c_set.log
    ) using p_set;
    analyze changed;
end
$$;
revoke all on function feature.find_changed(text, timestamptz) from public;
comment on function feature.find_changed(text, timestamptz) is
'Makes the temporary table changed of due for a set made of ticks: its bars with their last '
'version in the set''s log. Those of series that are set aside in this set go to '
'feature.waiting_bar. Step of feature.publish_set().';
