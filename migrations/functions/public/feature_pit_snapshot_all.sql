-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function public.{prefix}_pit_snapshot_all(
    p_as_of timestamptz default now()
) returns table (
    tenant_id integer, symbol text, as_of timestamptz, known_as_of timestamptz, bucket timestamptz,
    known_at timestamptz, { %I %s }, is_stale boolean
)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select a.*
    from feature.{name pit_snapshot_of}(null, p_as_of) as a
$$;
revoke all on function public.{prefix}_pit_snapshot_all(timestamptz) from public;
grant execute on function public.{prefix}_pit_snapshot_all(timestamptz) to market_reader;
comment on function public.{prefix}_pit_snapshot_all(timestamptz) is
'What an online store should hold: {prefix}_pit_snapshot() of every tenant and symbol that '
'feature.{name log} holds and market.instrument named by then, at p_as_of, or at the last publish '
'where that is earlier: nothing is known of what comes after it, and asked for the as_of that it '
'returns, {prefix}_pit_snapshot() gives the same for ever. Columns: as there after tenant_id, in '
'no order. Errors: as there.';
$sql$);
