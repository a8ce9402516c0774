create or replace procedure access.expose(p_source regclass, p_name text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_columns constant text := (
        select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
        from pg_attribute as a
        where a.attrelid = p_source and a.attnum > 0 and not a.attisdropped
    );
begin
    execute format(
        'create or replace view api.%I with (security_barrier) as select %s from %s '
        'where tenant_id = any((select api.visible_tenants())::integer[])',
        p_name, v_columns, p_source
    );
    execute format('grant select on api.%I to market_tenant', p_name);
    call access.describe_view(format('api.%I', p_name)::regclass, p_source);
end
$$;
revoke all on procedure access.expose(regclass, text) from public;
comment on procedure access.expose(regclass, text) is -- noqa: LT01
'Makes the view api.<p_name>: all columns of p_source, of the rows of those tenants that the '
'asking login may see; readable by market_tenant, with the comments of p_source.';
