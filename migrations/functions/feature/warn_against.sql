create or replace function feature.warn_against() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_named constant integer := 5;
    v_bars bigint;
    v_series bigint;
    v_named text;
begin
    select
        sum(a.bars::bigint),
        count(*),
        string_agg(a.name, ', ' order by a.place) filter (where a.place <= c_named)
    into v_bars, v_series, v_named
    from (
        select
            n.*,
            row_number() over (order by n.name) as place
        from jsonb_each_text(
            nullif(current_setting('feature.against', true), '')::jsonb
        ) as n (name, bars)
    ) as a;
    if v_series = 0 then
        return;
    end if;
    raise warning '% stay as they were first said, though ticks that came since say otherwise: %',
        format('%s bars of %s series', v_bars, v_series),
        v_named || case when v_series > c_named then ' ...' else '' end
        using hint = 'The log only grows. docs/point-in-time.md, "History that came in parts", '
            'says what can be done.';
end
$$;
revoke all on function feature.warn_against() from public;
grant execute on function feature.warn_against() to market_operator;
comment on function feature.warn_against() is
'Warns of the bars that the setting feature.against counts. Last step of feature.backfill().';
