create or replace function feature.check_names(
    p_symbols text[], p_tenant_id integer, p_visible integer[] default null
) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant_ids constant integer[] := coalesce(
        case when p_tenant_id is not null then array[p_tenant_id] end, p_visible
    );
    v_none boolean;
    v_several boolean;
begin
    select
        bool_or(h.tenants = 0),
        bool_or(h.tenants > 1)
    into v_none, v_several
    from (
        select count(s.tenant_id) as tenants
        from (select distinct p.symbol from unnest(p_symbols) as p (symbol)) as d
        left join feature.series as s
            on
                d.symbol = s.symbol
                and (v_tenant_ids is null or s.tenant_id = any(v_tenant_ids))
        group by d.symbol
    ) as h;
    if v_several then
        perform feature.refuse_ambiguous(p_symbols, v_tenant_ids);
    end if;
    if v_none then
        perform feature.refuse_unknown(p_symbols, p_tenant_id, p_visible);
    end if;
end
$$;
revoke all on function feature.check_names(text[], integer, integer[]) from public;
comment on function feature.check_names(text[], integer, integer[]) is
'Refuses names of which there is nothing to know, before anything is read. p_symbols; p_tenant_id: '
'whose, NULL: of whichever tenant has them; p_visible: the tenants that the asker may see, NULL: '
'all. Errors: 42P08 when several tenants have a symbol, 42704 as feature.refuse_unknown().';
