create or replace function model.source_tenant(
    p_tenant_id integer, p_symbol text, p_inputs jsonb
) returns integer
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        -- what a tenant writes need not be a number
        jsonb_path_query_first(
            p_inputs, '$.*.tenant_id ? (@.type() == "number" && @ >= 1 && @ < 2147483647)'
        )::integer,
        (
            select s.tenant_id
            from feature.series as s
            where
                s.symbol = p_symbol
                and (
                    s.tenant_id = p_tenant_id
                    or exists (
                        select from api.entitlement as e
                        inner join access.dataset as d on e.dataset = d.dataset
                        where e.tenant_id = p_tenant_id and d.tenant_id = s.tenant_id
                    )
                )
            order by s.tenant_id <> p_tenant_id, s.tenant_id
            limit 1
        ),
        p_tenant_id
    )
$$;
revoke all on function model.source_tenant(integer, text, jsonb) from public;
comment on function model.source_tenant(integer, text, jsonb) is
'Whose features a prediction of the tenant p_tenant_id was made from: what its inputs say '
'(tenant_id of a set), else the tenant itself where it has p_symbol, else the owner of a dataset '
'that it was ever entitled to and that has it.';
