-- depends: functions/feature/carry_kept functions/feature/first_tick
--   functions/feature/rebuild_reach functions/feature/rebuild_slice
--   functions/feature/rebuild_slices
create or replace procedure feature.rebuild_set(
    p_run integer,
    p_set text,
    p_tenant_ids integer[],
    p_symbols text[],
    p_buckets timestamptz[],
    p_is_last boolean
)
language plpgsql
-- No set clause: a procedure that has one cannot commit. Every name carries its schema instead.
as $$
declare
    c_origin constant timestamptz := timestamptz '2000-01-01 00:00:00+00';
    v_reach record;
    v_day timestamptz;
    v_day_to timestamptz;
    v_slice record;
    v_done bigint;
    v_versions bigint := 0;
begin
    select r.* into v_reach from feature.rebuild_reach(p_run, p_set) as r;
    if p_symbols is null or v_reach.kept_from > (
        select pg_catalog.min(b.bucket) from pg_catalog.unnest(p_buckets) as b (bucket)
    ) then
        perform feature.carry_kept(p_run, p_set, p_tenant_ids, p_symbols);
    end if;
    if not p_is_last then
        commit;
    end if;
    v_day := greatest(v_reach.kept_from, (
        select pg_catalog.min(b.bucket) - v_reach.ahead from pg_catalog.unnest(p_buckets) as b (bucket)
    ));
    while v_day < v_reach.range_to loop
        -- the next stretch that has ticks
        v_day_to := feature.first_tick(v_day, v_reach.range_to);
        exit when v_day_to is null;
        v_day := greatest(
            v_day, pg_catalog.date_bin(v_reach.length, v_day_to - v_reach.ahead, c_origin)
        );
        v_day_to := pg_catalog.date_bin(v_reach.length, v_day, c_origin) + v_reach.length;
        for v_slice in
            select s.*
            from feature.rebuild_slices(
                p_tenant_ids, p_symbols, p_buckets, v_day, v_day_to, v_reach.ahead
            ) as s
        loop
            v_done := feature.rebuild_slice(
                p_run, p_set, v_slice.tenant_ids, v_slice.symbols, v_slice.slice_from, v_day_to
            );
            v_versions := v_versions + v_done;
            if not p_is_last then
                commit;
            end if;
        end loop;
        if p_symbols is null then
            raise notice '%: bars before % done, versions so far: %', p_set, v_day_to, v_versions;
        end if;
        v_day := v_day_to;
    end loop;
end
$$;
revoke all on procedure feature.rebuild_set(
    integer, text, integer[], text[], timestamptz[], boolean
) from public;
grant execute on procedure feature.rebuild_set(
    integer, text, integer[], text[], timestamptz[], boolean
) to market_operator;
comment on procedure feature.rebuild_set( -- noqa: LT01
    integer, text, integer[], text[], timestamptz[], boolean -- noqa: LT01
) is
'Builds one set of the generation that the call p_run of feature.rebuild() makes, in slices, each '
'committed unless p_is_last. p_tenant_ids, p_symbols, p_buckets: of which series, element by '
'element, and from which bar on; NULL: all. Step of feature.rebuild().';
