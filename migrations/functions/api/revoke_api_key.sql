create or replace function api.revoke_api_key(p_key_id uuid) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update api.api_key as k set revoked_at = coalesce(k.revoked_at, now())
    where k.key_id = p_key_id and k.tenant_id = api.own_tenant();
    if not found then
        raise exception 'you have no API key %', p_key_id
            using errcode = 'no_data_found', hint = 'See api.api_key for yours.';
    end if;
end
$$;
revoke all on function api.revoke_api_key(uuid) from public;
grant execute on function api.revoke_api_key(uuid) to market_tenant;
comment on function api.revoke_api_key(uuid) is
'Ends an API key of the asking login''s tenant; a second time changes nothing. Errors: P0002 for a '
'key that is not the tenant''s.';
