create or replace procedure feature.backfill(p_from timestamptz, p_to timestamptz)
language plpgsql
-- No set clause: a procedure that has one cannot commit. Every name carries its schema instead.
as $$
declare
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
    if p_from is null or p_to is null or p_from >= p_to
        or not pg_catalog.isfinite(p_from) or not pg_catalog.isfinite(p_to) then
        raise exception 'no range: from % to %', p_from, p_to
            using errcode = 'invalid_parameter_value',
            hint = 'Give two moments, the first one earlier.';
    end if;
    -- bars are whole: those with bucket in [p_from, p_to) begin and end on minutes
    p_from := pg_catalog.date_bin(
        '1 minute', p_from + interval '1 minute' - interval '1 microsecond',
        timestamptz '2000-01-01 00:00:00+00'
    );
    p_to := pg_catalog.date_bin(
        '1 minute', p_to + interval '1 minute' - interval '1 microsecond',
        timestamptz '2000-01-01 00:00:00+00'
    );
    perform feature.require_formulas();
    perform pg_catalog.set_config('feature.left_out', '', false);
    perform pg_catalog.set_config('feature.against', '', false);

    select r.*
    into v_run
    from feature.backfill_run as r
    where r.range_from = p_from and r.range_to = p_to and r.finished_at is null
    order by r.run_id desc
    limit 1;
    if v_run.run_id is null then
        insert into feature.backfill_run (range_from, range_to, done_to)
        values (p_from, p_to, p_from)
        returning * into v_run;
    else
        raise notice 'going on at %', v_run.done_to;
    end if;
    commit;

    v_day := v_run.done_to;
    while v_day < p_to loop
        -- the next day that has ticks
        v_day := feature.first_tick(v_day, p_to);
        exit when v_day is null;
        v_day := greatest(
            v_run.done_to,
            pg_catalog.date_bin('1 day', v_day, timestamptz '2000-01-01 00:00:00+00')
        );
        v_day_to := least(
            p_to,
            pg_catalog.date_bin('1 day', v_day, timestamptz '2000-01-01 00:00:00+00')
            + interval '1 day'
        );
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
            v_slice := feature.backfill_slice(v_tenant_ids, v_symbols, v_day, v_day_to);
            v_versions := v_versions + v_slice;
            commit;
        end loop;
        update feature.backfill_run as r
        set done_to = v_day_to, versions = r.versions + v_versions
        where r.run_id = v_run.run_id
        returning * into v_run;
        commit;
        raise notice 'bars before % done, versions so far: %', v_day_to, v_run.versions;
        v_day := v_day_to;
    end loop;
    update feature.backfill_run as r
    set done_to = r.range_to, finished_at = clock_timestamp()
    where r.run_id = v_run.run_id;
    perform feature.end_lost_waits(p_from, p_to);
    perform feature.warn_against();
    if pg_catalog.current_setting('feature.left_out') <> '' then
        commit;
        raise exception 'left out, because a formula fails on them: %',
            pg_catalog.current_setting('feature.left_out')
            using errcode = 'data_exception',
            hint = 'All else is done. Correct or cancel the ticks, or change the formula, then call '
                'it again: what is there stays as it is.';
    end if;
end
$$;
revoke all on procedure feature.backfill(timestamptz, timestamptz) from public;
grant execute on procedure feature.backfill(timestamptz, timestamptz) to market_operator;
comment on procedure feature.backfill(timestamptz, timestamptz) is -- noqa: LT01
'Builds the versions of history, bars with bucket in [p_from, p_to), from the ticks: one version '
'at each moment, up to feature.clock.live_from, at which an event became known or ceased to be '
'believed and changed a value, stamped with that moment. What a bar''s first version in the log '
'has said stays: nothing is written at or after it, so a second call adds nothing. Load history '
'first, then call it once. Works in slices of a day and 20 series, each committed, with a notice '
'per day; an interrupted call is taken up by the same call. It cannot run inside a transaction. A '
'series that a formula fails on is left out of its slice, with a warning; all others are built, '
'and at the end the error 22000 names those. A warning at the end counts the bars that stay as '
'they were first said though ticks that came since say otherwise. Errors: 22023 for an empty '
'range, 42P01 when "dbt run" has not made the models, 2D000 in a transaction.';
