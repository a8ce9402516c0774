create or replace function feature.record_added() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_kept interval;
begin
    select s.span
    into v_kept
    from market.policy_setting as s
    where s.relation = tg_table_name and s.policy = 'retention';
    if v_kept is not null and exists (
        select from added as a where a.ts < now() - least(v_kept, interval '100 years')
    ) then
        raise exception '% older than % would be deleted', tg_table_name, v_kept
            using errcode = 'check_violation',
            hint = 'market.policy_setting has a retention of that table: raise it, or delete its '
                'row, and call market.apply_policies().';
    end if;
    insert into feature.changed_bar (
        tenant_id, symbol, bucket, cause, known_from, known_to, kind
    )
    select
        a.tenant_id,
        a.symbol,
        date_bin(interval '1 minute', a.ts, timestamptz '2000-01-01 00:00:00+00'),
        'late',
        min(a.known_at),
        max(a.known_at),
        tg_table_name
    from added as a
    group by 1, 2, 3;
    return null;
end
$$;
revoke all on function feature.record_added() from public;
comment on function feature.record_added() is
'Trigger of market.trade, quote and bar: puts the bars of added ticks into feature.changed_bar. '
'Errors: 23514 for a tick beyond the table''s retention in market.policy_setting.';

create or replace trigger changed_bar_added
after insert on market.trade
referencing new table as added
for each statement execute function feature.record_added();

create or replace trigger changed_bar_added
after insert on market.quote
referencing new table as added
for each statement execute function feature.record_added();

create or replace trigger changed_bar_added
after insert on market.bar
referencing new table as added
for each statement execute function feature.record_added();
