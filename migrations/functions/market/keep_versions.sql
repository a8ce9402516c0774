-- depends: functions/market/expand_sessions functions/market/reference_changes
--   functions/market/reference_stamp functions/market/refuse_overlap
create or replace function market.keep_versions() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_stamp timestamptz;
    v_table text;
    v_changes jsonb;
    v_problem text;
    v_calendars jsonb := '[]';
    v_calendar record;
begin
    -- one comparison for all statements: the last one's
    if (select c.changes from market.changed_reference as c) is distinct from new.changes then
        return null;
    end if;
    update market.changed_reference set touched = '{}';
    v_stamp := market.reference_stamp();
    -- the calendar itself last: by it one sees that all of it is new
    foreach v_table in array array[
        'contract', 'feature_set', 'instrument', 'calendar_holiday', 'calendar_session', 'calendar'
    ] loop
        continue when v_table <> all(new.touched);
        select
            jsonb_agg(
                c.content || jsonb_build_object(
                    'known_at', coalesce(c.known_at, v_stamp), 'is_gone', c.is_gone
                )
            ),
            string_agg(c.problem, '; ')
        into v_changes, v_problem
        from market.reference_changes(v_table) as c;
        continue when v_changes is null;
        if v_problem is not null then
            raise exception 'market.%: %', v_table, v_problem
                using errcode = 'invalid_parameter_value',
                hint = 'What was known is not rewritten. "make migrate" names the line of seeds/.';
        end if;
        execute format(
            'insert into market.%1$I select v.* '
            'from jsonb_populate_recordset(null::market.%1$I, $1) as v',
            v_table || '_version'
        ) using v_changes;
        if v_table like 'calendar%' then
            v_calendars := v_calendars || v_changes;
        end if;
        -- of contract and sets each row is an event (audit.note_change())
        perform audit.record(
            'reference', 'change', 'market.' || v_table,
            jsonb_build_object(
                'known_at', v_stamp,
                'rows', jsonb_array_length(v_changes),
                'sha256', encode(sha256(convert_to(v_changes::text, 'UTF8')), 'hex')
            )
        )
        where v_table not in ('contract', 'feature_set');
    end loop;
    for v_calendar in
        select
            c.value ->> 'calendar_id' as calendar_id,
            (c.value ->> 'known_at')::timestamptz as known_at,
            -- a holiday moves its day alone
            case when bool_and(c.value ? 'day') then min(c.value ->> 'day')::date end as first,
            case when bool_and(c.value ? 'day') then max(c.value ->> 'day')::date end as last
        from jsonb_array_elements(v_calendars) as c
        group by 1, 2
        order by 2
    loop
        perform market.expand_sessions(
            v_calendar.calendar_id, v_calendar.known_at, v_calendar.first, v_calendar.last
        );
        perform market.refuse_overlap(v_calendar.calendar_id, v_calendar.known_at);
    end loop;
    return null;
end
$$;
revoke all on function market.keep_versions() from public;
comment on function market.keep_versions() is
'Trigger of market.changed_reference, at commit: appends how the reference tables differ from '
'their last versions to these, under the lock of the clock and a stamp after the last publish, '
'and the sessions that follow to market.session_month. Errors: 22023 for a known_at that would '
'rewrite what was known, or is in the future, and for sessions that overlap.';

-- a constraint trigger cannot be replaced
drop trigger if exists keep_versions on market.changed_reference;
create constraint trigger keep_versions
after insert or update of changes on market.changed_reference
deferrable initially deferred
for each row execute function market.keep_versions();
