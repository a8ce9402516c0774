create or replace function market.refresh_reach(p_aggregate text) returns interval
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    -- what it is made of: other aggregates, by their materialization, down to the ticks
    with recursive part as (
        select
            a.view_name as relation,
            a.hypertable_name as source
        from timescaledb_information.continuous_aggregates as a
        where a.view_schema = 'market' and a.view_name = p_aggregate
        union all
        select
            coalesce(a.view_name, p.source),
            a.hypertable_name
        from part as p
        left join timescaledb_information.continuous_aggregates as a
            on p.source = a.materialization_hypertable_name
        where p.source is not null
    )

    select min(s.span - market.retention_margin(s.span) / 2)
    from part as p
    inner join market.policy_setting as s on p.relation = s.relation
    where s.policy = 'retention'
$$;
revoke all on function market.refresh_reach(text) from public;
comment on function market.refresh_reach(text) is
'How far back an aggregate of the schema market may be refreshed: farther than any tick that is '
'accepted, and not as far as a retention of it, or of what it is made of, where a refresh would '
'delete what dropped rows have left. NULL: as far as one likes. p_aggregate: its name. Step of '
'market.apply_policies().';
