create or replace function feature.note_against(p_against jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_against = '{}'::jsonb then
        return;
    end if;
    perform set_config('feature.against', (
        select jsonb_object_agg(b.name, b.bars)
        from (
            select
                n.name,
                sum(n.bars::bigint) as bars
            from (
                select o.name, o.bars
                from jsonb_each_text(
                    nullif(current_setting('feature.against', true), '')::jsonb
                ) as o (name, bars)
                union all
                select a.name, a.bars from jsonb_each_text(p_against) as a (name, bars)
            ) as n
            group by n.name
        ) as b
    )::text, false);
end
$$;
revoke all on function feature.note_against(jsonb) from public;
comment on function feature.note_against(jsonb) is
'Adds what feature.bars_against() returned to the setting feature.against, for '
'feature.warn_against(). Step of feature.backfill_slice().';
