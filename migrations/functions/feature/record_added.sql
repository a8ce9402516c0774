create or replace function feature.record_added() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into feature.changed_bar (tenant_id, symbol, bucket, cause, known_from, known_to)
    select
        a.tenant_id,
        a.symbol,
        date_bin(interval '1 minute', a.ts, timestamptz '2000-01-01 00:00:00+00'),
        'late',
        min(a.known_at),
        max(a.known_at)
    from added as a
    group by 1, 2, 3;
    return null;
end
$$;
revoke all on function feature.record_added() from public;
comment on function feature.record_added() is
'Trigger of market.trade and market.quote: puts the bars of added ticks into feature.changed_bar.';

create or replace trigger changed_bar_added
after insert on market.trade
referencing new table as added
for each statement execute function feature.record_added();

create or replace trigger changed_bar_added
after insert on market.quote
referencing new table as added
for each statement execute function feature.record_added();
