-- depends: functions/model/replay_as
create or replace function model.replay(p_prediction uuid) returns table (
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
    cross join lateral model.replay_as('public', p) as r
    where p.prediction_id = p_prediction;
    if not found then
        raise exception 'there is no prediction %', p_prediction
            using errcode = 'no_data_found', hint = 'See api.prediction.';
    end if;
end
$$;
revoke all on function model.replay(uuid) from public;
grant execute on function model.replay(uuid) to market_reader;
comment on function model.replay(uuid) is
'What a prediction was made of, recomputed: one row with what api.prediction says of it, features, '
'the numbers that its version was given, in the order of its card''s columns, NaN for NULL, and '
'their SHA-256, feature_hash. same: that is the digest that was kept; difference: what differs, or '
'what keeps it from being recomputed, features are NULL then. A rebuild since changes nothing: '
'its own generation answers. The score follows from features and the version''s bundle: make '
'replay. Errors: P0002 for an unknown prediction.';
