-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
--   functions/feature/abs_change
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function feature.{name leakage}(
    p_symbols text[], p_as_of timestamptz[], p_tenant_id integer default null
) returns table (
    field text,
    training_rows bigint,
    leaked_rows bigint,
    leaked_share double precision,
    mean_abs_change double precision,
    max_abs_change double precision
)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    with pair as (
        select
            { k.%I },
            { e.%1$I as later_%1$I }
        from public.{prefix}_pit_snapshot(
            p_symbols, p_as_of, null::timestamptz[], p_tenant_id
        ) with ordinality as k
        -- by event time alone: the latest closed bar, with all that became known of it since
        inner join public.{prefix}_pit_snapshot(
            p_symbols, p_as_of, feature.for_each(p_symbols, now()), p_tenant_id
        ) with ordinality as e on k.ordinality = e.ordinality
    ),

    compared as (
        select
            f.ordinal,
            f.field,
            f.is_leaked,
            f.change
        from pair as p
        cross join lateral (
            values
            (0, 'any', row({ p.%I }) is distinct from row({ p.later_%I }), null),
            { (
                %3$s, %1$L, p.%1$I is distinct from p.later_%1$I,
                feature.abs_change(p.%1$I, p.later_%1$I)
            ) }
        ) as f (ordinal, field, is_leaked, change)
    )

    select
        c.field,
        count(*),
        count(*) filter (where c.is_leaked),
        count(*) filter (where c.is_leaked)::double precision / count(*),
        avg(c.change) filter (where c.is_leaked),
        max(c.change) filter (where c.is_leaked)
    from compared as c
    group by c.ordinal, c.field
    order by c.ordinal
$$;
revoke all on function feature.{name leakage}(text[], timestamptz[], integer) from public;
grant execute on function feature.{name leakage}(text[], timestamptz[], integer) to market_reader;
comment on function feature.{name leakage}(text[], timestamptz[], integer) is
'What a join by event time alone would have leaked into a training set: it takes the latest '
'closed bar as it stands today, this function compares that with what was known at as_of. '
'p_symbols, p_as_of, p_tenant_id: as of public.{prefix}_pit_snapshot(). One row per field in the '
'contract''s order, after one for "any". Columns: training_rows; leaked_rows, whose value '
'differs; leaked_share, their fraction; mean_abs_change and max_abs_change of the leaked rows '
'with both values, in the field''s unit, NULL for text. No pairs, no rows. Errors: as there.';
$sql$);
