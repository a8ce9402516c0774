create or replace function feature.take_stamp(p_known_at timestamptz) returns feature.clock
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_clock feature.clock;
    v_known_at timestamptz;
begin
    -- One publish at a time: the next one waits here, and then sees what this one wrote.
    select c.* into strict v_clock from feature.clock as c for update;
    v_known_at := coalesce(
        p_known_at, greatest(clock_timestamp(), v_clock.published_at + interval '1 microsecond')
    );
    if v_known_at <= v_clock.published_at then
        raise exception 'p_known_at % is not after the last publish, %', v_known_at,
            v_clock.published_at
            using errcode = 'invalid_parameter_value',
            hint = 'What was known then may have been read already: leave p_known_at out.';
    elsif p_known_at > clock_timestamp() then
        raise exception 'p_known_at % is in the future', p_known_at
            using errcode = 'invalid_parameter_value', hint = 'Leave p_known_at out.';
    end if;
    v_clock.published_at := v_known_at;
    update feature.clock set published_at = v_clock.published_at;
    return v_clock;
end
$$;
revoke all on function feature.take_stamp(timestamptz) from public;
comment on function feature.take_stamp(timestamptz) is
'Takes the lock that puts publishes in order, until the transaction ends, and moves the clock: '
'returns it with the publish''s stamp in published_at. p_known_at: the stamp, NULL for now. '
'Errors: 22023 for a stamp that is not after the last one, or in the future. First step of '
'feature.publish().';
