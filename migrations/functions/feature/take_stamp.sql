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
    if v_clock.published_at > clock_timestamp() + interval '1 second' then
        raise exception 'the last publish, %, is ahead of this server''s clock', v_clock.published_at
            using errcode = 'object_not_in_prerequisite_state',
            hint = 'Set the clock right. A version must not be known before one that was read: '
                'publishing goes on by itself when that moment has come.';
    end if;
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
'Errors: 22023 for a stamp that is not after the last one, or in the future; 55000 while the last '
'stamp is ahead of the server''s clock. First step of feature.publish().';
