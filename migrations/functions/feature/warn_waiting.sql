create or replace function feature.warn_waiting(
    p_symbols text[], p_as_of timestamptz[], p_tenant_id integer
) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    c_named constant integer := 5;
    -- what publishes have not looked at yet matters where nothing else is known of a symbol
    v_is_new constant boolean := exists (
        select from (select distinct p.symbol from unnest(p_symbols) as p (symbol)) as d
        where not exists (
            select from feature.series as s
            where s.symbol = d.symbol and (p_tenant_id is null or s.tenant_id = p_tenant_id)
        )
    );
    v_series text[];
    v_first date;
    v_last date;
begin
    if not v_is_new and not exists (select from feature.waiting_history) then
        return;
    end if;
    with asked as (
        select
            p.symbol,
            (min(p.as_of) at time zone 'UTC')::date - 31 as first_day,
            (max(p.as_of) at time zone 'UTC')::date as last_day
        from unnest(p_symbols, p_as_of) as p (symbol, as_of)
        group by p.symbol
    ),

    waits as (
        select
            h.symbol,
            h.tenant_id,
            h.day
        from asked as a
        inner join feature.waiting_history as h
            on a.symbol = h.symbol and h.day between a.first_day and a.last_day
        union all
        select
            c.symbol,
            c.tenant_id,
            (c.bucket at time zone 'UTC')::date
        from asked as a
        inner join feature.changed_bar as c on a.symbol = c.symbol
        cross join feature.clock as k
        left join market.instrument as i on c.symbol = i.symbol
        where
            v_is_new
            -- what its bars are made of
            and c.kind = coalesce(i.bars_from, 'trade')
            and c.known_to <= k.live_from
            and c.bucket <= k.live_from - interval '1 minute'
            and (c.bucket at time zone 'UTC')::date between a.first_day and a.last_day
            and not exists (
                select from feature.log as l
                where
                    l.tenant_id = c.tenant_id and l.symbol = c.symbol and l.bucket = c.bucket
            )
    )

    select
        array_agg(distinct format('%s of tenant %s', w.symbol, w.tenant_id)),
        min(w.day),
        max(w.day)
    into v_series, v_first, v_last
    from waits as w
    where p_tenant_id is null or w.tenant_id = p_tenant_id;
    if v_series is not null then
        raise warning 'history not backfilled: % to % of %', v_first, v_last,
            array_to_string(v_series[:c_named], ', ')
            || case when cardinality(v_series) > c_named then ', ...' else '' end
            using hint = format(
                'No answer has it until then: call feature.backfill(%L, %L)', v_first, v_last + 1
            );
    end if;
end
$$;
revoke all on function feature.warn_waiting(text[], timestamptz[], integer) from public;
comment on function feature.warn_waiting(text[], timestamptz[], integer) is
'Warns whoever asks for symbols some of whose bars, of the 31 days before p_as_of, wait for '
'feature.backfill(): an answer without them is not what was known. p_tenant_id: whose, NULL: of '
'whichever tenant has them. Step of feature_pit_snapshot().';
