create or replace function feature.refuse_ambiguous(
    p_symbols text[], p_tenant_ids integer[] default null
) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_problem text;
begin
    select format('%s is held by the tenants %s', s.symbol, string_agg(
        s.tenant_id::text, ', ' order by s.tenant_id
    ))
    into v_problem
    from feature.series as s
    where
        s.symbol = any(p_symbols)
        and (p_tenant_ids is null or s.tenant_id = any(p_tenant_ids))
    group by s.symbol
    having count(*) > 1
    order by s.symbol
    limit 1;
    if v_problem is not null then
        raise exception '%', v_problem
            using errcode = 'ambiguous_parameter', hint = 'Pass p_tenant_id.';
    end if;
end
$$;
revoke all on function feature.refuse_ambiguous(text[], integer[]) from public;
comment on function feature.refuse_ambiguous(text[], integer[]) is
'Refuses symbols that several tenants have, of p_tenant_ids, by default of all. Errors: 42P08 with '
'the first such symbol and its tenants.';
