create or replace function feature.find_changed(p_set text, p_known_at timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
begin
    if p_set = 'market_1m' then
        create temp table changed on commit drop as
        select d.*
        from due as d
        where d.only_set is null;
        analyze changed;
        return;
    end if;
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
                    d.only_set = $1
                    or d.only_set is null
                    -- its bars wait: feature.take_apart()
                    and not exists (
                        select from feature.set_aside as s
                        where
                            s.feature_set = $1
                            and s.tenant_id = d.tenant_id
                            and s.symbol = d.symbol
                            and s.try_after > $2
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
    ) using p_set, p_known_at;
    analyze changed;
end
$$;
revoke all on function feature.find_changed(text, timestamptz) from public;
comment on function feature.find_changed(text, timestamptz) is
'Makes the temporary table changed of due for a set made of ticks: its bars with their last '
'version in the set''s log. Those of series that are set aside in this set at the stamp '
'p_known_at wait. Step of feature.publish_set().';
