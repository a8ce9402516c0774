-- depends: functions/feature/name_of
create or replace function feature.carry_over(
    p_set text,
    p_tenant_ids integer[],
    p_symbols text[],
    p_before timestamptz,
    p_known_to timestamptz
) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_log constant text := feature.name_of(p_set, 'log');
    -- by name: the logs have the same columns, not always in one order
    c_columns constant text := (
        select string_agg(format('%I', a.attname), ', ' order by a.attnum)
        from pg_attribute as a
        where
            a.attrelid = format('feature.%I', c_log)::regclass
            and a.attnum > 0
            and not a.attisdropped
    );
    v_versions bigint;
begin
    execute format(
        $q$
            delete from feature.%1$I as l
            using unnest($1, $2) as s (tenant_id, symbol)
            where l.tenant_id = s.tenant_id and l.symbol = s.symbol and l.bucket < $3
        $q$,
        c_log || '_next'
    ) using p_tenant_ids, p_symbols, p_before;
    execute format(
        $q$
            insert into feature.%1$I (%2$s)
            select %2$s
            from feature.%3$I
            where
                (tenant_id, symbol) in (select * from unnest($1, $2))
                and bucket < $3
                and known_at <= $4
        $q$,
        c_log || '_next', c_columns, c_log
    ) using p_tenant_ids, p_symbols, p_before, p_known_to;
    get diagnostics v_versions = row_count;
    return v_versions;
end
$$;
revoke all on function feature.carry_over(text, integer[], text[], timestamptz, timestamptz)
from public;
comment on function feature.carry_over(text, integer[], text[], timestamptz, timestamptz) is
'Gives the next log of the set p_set what its log has of some series, of bars before p_before, '
'known by p_known_to, in place of what the next log has of these bars. p_tenant_ids, p_symbols: '
'the series, element by element. Returns how many versions. Step of feature.rebuild_slice() and '
'feature.carry_kept().';
