-- depends: functions/market/tick_kinds
create or replace function feature.kept_from() returns timestamptz
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(max(k.kept_from), '-infinity')
        from (
            select min(c.range_start) as kept_from
            from market.policy_setting as s
            inner join timescaledb_information.chunks as c
                on c.hypertable_schema = 'market' and s.relation = c.hypertable_name
            where s.policy = 'retention' and s.relation = any(market.tick_kinds())
            group by s.relation
        ) as k
    );
end
$$;
revoke all on function feature.kept_from() from public;
comment on function feature.kept_from() is
'From when on all ticks are there: before it the retention of one of their tables may have dropped '
'some. -infinity: none has a retention. For feature.rebuild().';
