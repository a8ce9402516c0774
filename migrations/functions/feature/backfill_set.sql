-- depends: functions/feature/backfill_slice functions/feature/end_lost_fields
--   functions/feature/fill_fields functions/feature/first_field_wait
create or replace procedure feature.backfill_set(
    p_set text, p_from timestamptz, p_to timestamptz
)
language plpgsql
-- No set clause: a procedure that has one cannot commit. Every name carries its schema instead.
as $$
declare
    c_origin constant timestamptz := timestamptz '2000-01-01 00:00:00+00';
    -- big enough to pay for planning, small enough for memory
    c_series constant integer := 20;
    v_run feature.backfill_run;
    v_day timestamptz;
    v_day_to timestamptz;
    v_tenant_ids integer[];
    v_symbols text[];
    v_slice bigint;
    v_versions bigint;
begin
    select r.*
    into v_run
    from feature.backfill_run as r
    where
        r.feature_set = p_set
        and r.range_from = p_from
        and r.range_to = p_to
        and r.finished_at is null
    order by r.run_id desc
    limit 1;
    if v_run.run_id is null then
        insert into feature.backfill_run (feature_set, range_from, range_to, done_to)
        values (p_set, p_from, p_to, p_from)
        returning * into v_run;
    else
        -- a field that was added since waits before that
        v_run.done_to := least(
            v_run.done_to, feature.first_field_wait(p_set, p_from, v_run.done_to)
        );
        raise notice 'going on at %', v_run.done_to;
    end if;
    commit;

    v_day := v_run.done_to;
    while v_day < p_to loop
        -- the next day that has ticks
        v_day := feature.first_tick(v_day, p_to);
        exit when v_day is null;
        v_day := greatest(v_run.done_to, pg_catalog.date_bin('1 day', v_day, c_origin));
        v_day_to := least(p_to, pg_catalog.date_bin('1 day', v_day, c_origin) + interval '1 day');
        v_versions := 0;
        for v_tenant_ids, v_symbols in
            select
                pg_catalog.array_agg(s.tenant_id),
                pg_catalog.array_agg(s.symbol)
            from (
                select
                    d.*,
                    (pg_catalog.row_number() over (order by d.tenant_id, d.symbol) - 1) / c_series
                        as place
                from feature.ticked_series(v_day, v_day_to) as d
            ) as s
            group by s.place
            order by s.place
        loop
            call feature.fill_fields(
                p_set, v_tenant_ids, v_symbols, v_day, v_day_to, v_versions
            );
            v_slice := feature.backfill_slice(p_set, v_tenant_ids, v_symbols, v_day, v_day_to);
            v_versions := v_versions + v_slice;
            commit;
        end loop;
        perform feature.end_lost_fields(p_set, v_run.done_to, v_day_to);
        update feature.backfill_run as r
        set done_to = v_day_to, versions = r.versions + v_versions
        where r.run_id = v_run.run_id
        returning * into v_run;
        commit;
        raise notice '%bars before % done, versions so far: %',
            case p_set when 'market_1m' then '' else p_set || ': ' end, v_day_to, v_run.versions;
        v_day := v_day_to;
    end loop;
    perform feature.end_lost_fields(p_set, v_run.done_to, p_to);
    update feature.backfill_run as r
    set done_to = r.range_to, finished_at = clock_timestamp()
    where r.run_id = v_run.run_id;
    commit;
end
$$;
revoke all on procedure feature.backfill_set(text, timestamptz, timestamptz) from public;
grant execute on procedure feature.backfill_set(text, timestamptz, timestamptz)
to market_operator;
comment on procedure feature.backfill_set(text, timestamptz, timestamptz) is -- noqa: LT01
'feature.backfill() of a set that reads ticks alone, in slices of a day. Called by it.';
