-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
--   functions/feature/definitions_of functions/feature/tell_definitions
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function feature.{name pit_apart}(
    p_symbols text[], p_as_of timestamptz[], p_known_as_of timestamptz[], p_tenant_id integer,
    p_known_from timestamptz, p_known_to timestamptz, p_published_at timestamptz
) returns setof feature.{name pit_row}
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    with pair as (
        select
            l.known_at as epoch,
            p.*
        from (
            select
                u.symbol,
                u.as_of,
                least(coalesce(u.known_as_of, u.as_of), p_published_at) as known_as_of,
                u.place
            from unnest(p_symbols, p_as_of, p_known_as_of)
                with ordinality as u (symbol, as_of, known_as_of, place)
        ) as p
        inner join feature.contract_limits('{set}', p_known_from, p_known_to) as l
            on p.known_as_of >= l.known_at and p.known_as_of < l.known_to
    ),

    of_epoch as (
        select
            row_number() over (order by p.epoch) as part,
            array_agg(p.symbol order by p.place) as symbols,
            array_agg(p.as_of order by p.place) as as_ofs,
            array_agg(p.known_as_of order by p.place) as known_as_ofs,
            array_agg(p.place order by p.place) as places
        from pair as p
        group by p.epoch
    ),

    answer as materialized (
        select
            e.part,
            e.places[a.ordinality] as place,
            a.*
        from of_epoch as e
        cross join lateral public.{prefix}_pit_snapshot(
            e.symbols, e.as_ofs, e.known_as_ofs, p_tenant_id
        ) with ordinality as a
    )

    select
        a.symbol, a.as_of, a.known_as_of, a.bucket, a.known_at, { a.%I }, a.is_stale
    from answer as a
    where case
        when exists (
            select from feature.definition as d where d.feature_set = '{set}' offset 1
        ) then (
            select feature.tell_definitions(
                '{set}',
                feature.definitions_of(
                    '{set}', array_agg(p_tenant_id), array_agg(m.symbol), array_agg(m.bucket),
                    array_agg(m.known_at)
                ),
                array_agg(m.part)
            )
            from answer as m
            where m.bucket is not null
        )
        else true
    end
    order by a.place
$$;
revoke all on function feature.{name pit_apart}(
    text[], timestamptz[], timestamptz[], integer, timestamptz, timestamptz, timestamptz
) from public;
comment on function feature.{name pit_apart}(
    text[], timestamptz[], timestamptz[], integer, timestamptz, timestamptz, timestamptz
) is
'public.{prefix}_pit_snapshot() of pairs between whose known_as_of, from p_known_from to '
'p_known_to, the contract''s maxima changed: what was known under each is asked apart. '
'p_published_at: the last publish.';
$sql$);
