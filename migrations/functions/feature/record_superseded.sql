create or replace function feature.record_superseded() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into feature.changed_bar (
        tenant_id, symbol, bucket, cause, known_from, known_to, kind
    )
    select
        a.tenant_id,
        a.symbol,
        date_bin(interval '1 minute', a.ts, timestamptz '2000-01-01 00:00:00+00'),
        a.cause,
        -- it may have come just now, with its end ahead: the next stamps lie within it
        min(
            least(
                a.superseded_at,
                greatest(a.known_at, c.published_at + interval '1 microsecond')
            )
        ),
        max(a.superseded_at),
        replace(tg_table_name, '_superseded', '')
    from added as a
    cross join feature.clock as c
    group by 1, 2, 3, 4;
    return null;
end
$$;
revoke all on function feature.record_superseded() from public;
comment on function feature.record_superseded() is
'Trigger of market.trade_superseded, quote_superseded and bar_superseded: puts the bars of '
'corrected and cancelled ticks into feature.changed_bar.';

create or replace trigger changed_bar_superseded
after insert on market.trade_superseded
referencing new table as added
for each statement execute function feature.record_superseded();

create or replace trigger changed_bar_superseded
after insert on market.quote_superseded
referencing new table as added
for each statement execute function feature.record_superseded();

create or replace trigger changed_bar_superseded
after insert on market.bar_superseded
referencing new table as added
for each statement execute function feature.record_superseded();
