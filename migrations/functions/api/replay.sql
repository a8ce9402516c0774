-- depends: functions/model/replay_as functions/api/own_tenant
create or replace function api.replay(p_prediction uuid) returns table (
    prediction_id uuid, model text, version integer, tenant_id integer, symbol text,
    as_of timestamptz, value double precision, features double precision[], feature_hash text,
    same boolean, difference text
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        p.prediction_id, p.model, p.version, p.tenant_id, p.symbol, p.as_of, p.value,
        r.features, r.feature_hash, r.difference is null, r.difference
    from api.prediction as p
    cross join lateral model.replay_as('api', p) as r
    where
        p.prediction_id = p_prediction
        and p.tenant_id = api.own_tenant()
        -- else who writes one itself would learn what a model reads
        and p.logged_by is not null
        and not exists (select from access.login as l where l.login = p.logged_by);
    if not found then
        raise exception 'there is no prediction %', p_prediction
            using errcode = 'no_data_found', hint = 'See api.prediction: those that you were served.';
    end if;
end
$$;
revoke all on function api.replay(uuid) from public;
grant execute on function api.replay(uuid) to market_tenant;
comment on function api.replay(uuid) is
'model.replay() of a prediction that the asking tenant was served, from what its login may see '
'now: same columns. Errors: P0002 for any other prediction, whether it exists or not, and for '
'those that the tenant wrote itself.';
