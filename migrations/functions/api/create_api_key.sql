create or replace function api.create_api_key(
    p_description text, p_expires_at timestamptz default null
) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_login constant name := api.acting_role();
    c_tenant constant integer := api.own_tenant();
    c_secret constant text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
    c_salt constant bytea := uuid_send(gen_random_uuid());
    v_key_id uuid;
begin
    if c_tenant is null then
        raise exception '% reads for no active tenant', c_login
            using errcode = 'insufficient_privilege',
            hint = 'Connect as a login of the tenant, or set its role.';
    end if;
    insert into api.api_key (tenant_id, login, description, salt, hash, expires_at)
    values (
        c_tenant, c_login, p_description, c_salt,
        sha256(c_salt || convert_to(c_secret, 'UTF8')), p_expires_at
    )
    returning key_id into v_key_id;
    return v_key_id || '.' || c_secret;
end
$$;
revoke all on function api.create_api_key(text, timestamptz) from public;
grant execute on function api.create_api_key(text, timestamptz) to market_tenant;
comment on function api.create_api_key(text, timestamptz) is
'Makes an API key for the asking login and returns it: this once, only its salted hash is kept. '
'Errors: 42501 for a login of no active tenant, 23514 for an end that is not after now.';
