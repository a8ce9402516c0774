create or replace function model.withdraw_canary(
    p_model text, p_version integer, p_reason text, p_evidence jsonb default '{}'
) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    lock table model.promotion in share row exclusive mode;
    if not exists (
        select from model.alias as a
        where a.model = p_model and a.alias = 'canary' and a.version = p_version
    ) then
        return false;
    end if;
    perform model.promote(p_model, 'canary', null, p_reason, p_evidence);
    return true;
end
$$;
revoke all on function model.withdraw_canary(text, integer, text, jsonb) from public;
grant execute on function model.withdraw_canary(text, integer, text, jsonb) to market_pool;
comment on function model.withdraw_canary(text, integer, text, jsonb) is
'Takes the alias canary from the version p_version: what the router does by itself, and the only '
'promotion that it may make. p_reason, p_evidence: see model.promote(). Returns whether it was the '
'canary: of two routers that see the same, one withdraws it. Errors: 23514 for an empty reason.';
