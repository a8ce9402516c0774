-- depends: functions/feature/backfill_derived functions/feature/backfill_plan
--   functions/feature/backfill_set
create or replace procedure feature.backfill(
    p_from timestamptz, p_to timestamptz, p_set text default null
)
language plpgsql
-- No set clause: a procedure that has one cannot commit. Every name carries its schema instead.
as $$
declare
    c_origin constant timestamptz := timestamptz '2000-01-01 00:00:00+00';
    v_set record;
begin
    if p_from is null or p_to is null or p_from >= p_to
        or not pg_catalog.isfinite(p_from) or not pg_catalog.isfinite(p_to) then
        raise exception 'no range: from % to %', p_from, p_to
            using errcode = 'invalid_parameter_value',
            hint = 'Give two moments, the first one earlier.';
    end if;
    -- bars are whole: those with bucket in [p_from, p_to) begin and end on minutes
    p_from := pg_catalog.date_bin(
        '1 minute', p_from + interval '1 minute' - interval '1 microsecond', c_origin
    );
    p_to := pg_catalog.date_bin(
        '1 minute', p_to + interval '1 minute' - interval '1 microsecond', c_origin
    );
    perform feature.require_formulas();
    perform pg_catalog.set_config('feature.left_out', '', false);
    perform pg_catalog.set_config('feature.against', '', false);
    for v_set in select b.* from feature.backfill_plan(p_set, p_from, p_to) as b
    loop
        if v_set.is_derived then
            call feature.backfill_derived(v_set.feature_set, p_from, p_to, v_set.length);
        else
            call feature.backfill_set(v_set.feature_set, p_from, p_to);
        end if;
    end loop;
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
revoke all on procedure feature.backfill(timestamptz, timestamptz, text) from public;
grant execute on procedure feature.backfill(timestamptz, timestamptz, text) to market_operator;
comment on procedure feature.backfill(timestamptz, timestamptz, text) is -- noqa: LT01
'Builds the versions of history, bars with bucket in [p_from, p_to), from the ticks: one version '
'at each moment, up to when the set was first published (feature.born_at()), at which an event '
'became known or ceased to be believed and changed a value, stamped with that moment. p_set: the '
'set of features and what it reads, default each. What a bar''s first version in the log has said '
'stays: nothing is written at or after it, so a second call adds nothing. Load history first, then '
'call it once; of a set that reads others what earlier history is still missing for waits in '
'feature.waiting_range for the call that brings it. Works in slices of a day and 20 series, each '
'committed, with a notice per day; an interrupted call is taken up by the same call. It cannot run '
'inside a transaction. A series that a formula fails on is left out of its slice, with a warning; '
'all others are built, and at the end the error 22000 names those. A warning at the end counts the '
'bars that stay as they were first said though ticks that came since say otherwise. Errors: 22023 '
'for an empty range, 42704 for another set, 42P01 when "dbt run" has not made the models, 2D000 in '
'a transaction.';
