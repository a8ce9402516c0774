create or replace function audit.is_recorded(
    p_type text, p_schema text, p_identity text
) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when p_type = 'schema' then p_identity in (
            'market', 'feature', 'audit', 'access', 'api', 'model'
        )
        when p_schema = 'public' then p_type in ('function', 'procedure')
        when p_schema = 'feature' then p_type not in ('view', 'view column')
        else coalesce(p_schema in ('market', 'audit', 'access', 'api', 'model'), false)
    end
$$;
revoke all on function audit.is_recorded(text, text, text) from public;
comment on function audit.is_recorded(text, text, text) is
'Whether DDL on an object is recorded, by what the event trigger is told of it.';
