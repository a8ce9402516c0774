-- depends: functions/market/keep_versions
create or replace function market.note_reference() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into market.changed_reference (changes, touched) values (1, array[tg_table_name])
    on conflict (only_row) do update
    set
        changes = changed_reference.changes + 1,
        touched = array_remove(changed_reference.touched, tg_table_name::text) || tg_table_name::text;
    return null;
end
$$;
revoke all on function market.note_reference() from public;
comment on function market.note_reference() is
'Trigger after a statement on a reference table, whoever runs it: has the net change of the '
'transaction kept as versions at commit. Two transactions that change reference data run one '
'after another.';

create or replace trigger keep_versions
after insert or update or delete or truncate on market.calendar
for each statement execute function market.note_reference();

create or replace trigger keep_versions
after insert or update or delete or truncate on market.calendar_session
for each statement execute function market.note_reference();

create or replace trigger keep_versions
after insert or update or delete or truncate on market.calendar_holiday
for each statement execute function market.note_reference();

create or replace trigger keep_versions
after insert or update or delete or truncate on market.instrument
for each statement execute function market.note_reference();

create or replace trigger keep_versions
after insert or update or delete or truncate on market.contract
for each statement execute function market.note_reference();

create or replace trigger keep_versions
after insert or update or delete or truncate on market.feature_set
for each statement execute function market.note_reference();

-- rows that were there before there were versions
insert into market.changed_reference (changes, touched)
select
    1 as changes,
    array[
        'contract', 'feature_set', 'instrument', 'calendar_holiday', 'calendar_session', 'calendar'
    ] as touched
on conflict (only_row) do update
    set changes = changed_reference.changes + 1, touched = excluded.touched;
