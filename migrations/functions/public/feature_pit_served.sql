-- depends: functions/feature/define functions/public/feature_pit_snapshot
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function public.{prefix}_pit_served(
    p_symbols text[], p_as_of timestamptz[], p_known_as_of timestamptz[] default null,
    p_tenant_id integer default null
) returns setof feature.{name pit_row}
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        s.symbol,
        s.as_of,
        s.known_as_of,
        s.bucket,
        s.known_at,
        { case when s.known_as_of > b.born_at[%3$s] then s.%1$I end },
        s.is_stale
    from (
        select array_agg(f.born_at order by c.ordinal) as born_at
        from market.contract as c
        left join feature.birth as f
            on c.feature_set = f.feature_set and c.field = f.field and f.ended_at is null
        where c.feature_set = '{set}'
    ) as b
    cross join public.{prefix}_pit_snapshot(
        p_symbols, p_as_of, p_known_as_of, p_tenant_id
    ) with ordinality as s (
        symbol, as_of, known_as_of, bucket, known_at, { %I }, is_stale, place
    )
    order by s.place
$$;
revoke all on function public.{prefix}_pit_served(text[], timestamptz[], timestamptz[], integer)
from public;
grant execute on function public.{prefix}_pit_served(text[], timestamptz[], timestamptz[], integer)
to market_reader;
comment on function public.{prefix}_pit_served(text[], timestamptz[], timestamptz[], integer) is
'What was served? {prefix}_pit_snapshot() of the same arguments, with NULL for each field that was '
'not published yet at known_as_of (feature.birth): history that a backfill has built since is what '
'could have been computed then, and was not. Columns and errors: as there.';

create or replace function public.{prefix}_pit_served(
    p_symbols text[], p_as_of timestamptz, p_known_as_of timestamptz default null,
    p_tenant_id integer default null
) returns setof feature.{name pit_row}
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select s.*
    from public.{prefix}_pit_served(
        p_symbols,
        feature.for_each(p_symbols, p_as_of),
        feature.for_each(p_symbols, p_known_as_of),
        p_tenant_id
    ) as s
$$;
revoke all on function public.{prefix}_pit_served(text[], timestamptz, timestamptz, integer)
from public;
grant execute on function public.{prefix}_pit_served(text[], timestamptz, timestamptz, integer)
to market_reader;
comment on function public.{prefix}_pit_served(text[], timestamptz, timestamptz, integer) is
'The same for several symbols at one moment: see the form with arrays.';
$sql$);
