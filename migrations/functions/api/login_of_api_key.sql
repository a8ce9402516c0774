create or replace function api.login_of_api_key(p_key text) returns name
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select k.login
    from api.api_key as k
    inner join api.tenant as t on k.tenant_id = t.tenant_id
    where
        k.key_id = substring(p_key from '^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.')::uuid
        and k.hash = sha256(k.salt || convert_to(split_part(p_key, '.', 2), 'UTF8'))
        and k.revoked_at is null
        and (k.expires_at is null or k.expires_at > now())
        and t.status = 'active'
$$;
revoke all on function api.login_of_api_key(text) from public;
grant execute on function api.login_of_api_key(text) to market_pool;
comment on function api.login_of_api_key(text) is
'For a pooled login: the role to SET LOCAL for the holder of p_key. NULL: the key is unknown, '
'revoked or expired, or its tenant is suspended.';
