-- depends: functions/feature/ticked_series
create or replace function feature.backfill_series(
    p_set text, p_from timestamptz, p_to timestamptz
) returns table (tenant_ids integer[], symbols text[])
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- big enough to pay for planning, small enough for memory; longer bars take longer slices
    c_series constant integer := case when p_to - p_from > interval '1 day' then 5 else 20 end;
    c_made_of constant text := (
        select s.made_of from feature.published_set() as s where s.feature_set = p_set
    );
begin
    return query
    select
        array_agg(s.tenant_id),
        array_agg(s.symbol)
    from (
        select
            d.*,
            (row_number() over (order by d.tenant_id, d.symbol) - 1) / c_series as place
        from (
            select t.* from feature.ticked_series(p_from, p_to) as t where c_made_of = 'tick'
            union all
            select r.tenant_id, r.symbol from feature.series as r where c_made_of <> 'tick'
        ) as d
    ) as s
    group by s.place
    order by s.place;
end
$$;
revoke all on function feature.backfill_series(text, timestamptz, timestamptz) from public;
grant execute on function feature.backfill_series(text, timestamptz, timestamptz)
to market_operator;
comment on function feature.backfill_series(text, timestamptz, timestamptz) is
'The series that may have bars of the set p_set with bucket in [p_from, p_to), some a row: what a '
'slice of feature.backfill() takes.';
