-- depends: functions/model/numbers_of functions/model/source_tenant
create or replace function model.replay_as(
    p_schema text, p_prediction api.prediction, out features double precision[],
    out feature_hash text, out difference text
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_card jsonb;
    v_set text;
    v_input jsonb;
begin
    if p_prediction.version is null or p_prediction.inputs is null then
        difference := 'what it was made of was not kept';
        return;
    end if;
    select v.card
    into v_card
    from model.version as v
    where v.model = p_prediction.model and v.version = p_prediction.version;
    if v_card is null then
        difference := format(
            'version %s of model %s is not registered here', p_prediction.version, p_prediction.model
        );
        return;
    end if;
    features := array_fill(
        'NaN'::double precision, array[jsonb_array_length(v_card -> 'columns')]
    );
    for v_set in
        select distinct c.entry ->> 'feature_set'
        from jsonb_array_elements(v_card -> 'columns') as c (entry)
    loop
        v_input := p_prediction.inputs -> v_set;
        if v_input ->> 'as_of' is null or v_input ->> 'generation' is null then
            raise exception 'its inputs do not say of which moment and generation % was', v_set
                using errcode = 'data_exception';
        end if;
        select
            array_agg(coalesce(n.number, f.number) order by f.ordinal)
        into features
        from unnest(features) with ordinality as f (number, ordinal)
        left join model.numbers_of(
            p_schema, v_card -> 'columns', v_set, (v_input ->> 'generation')::integer,
            array[p_prediction.symbol], array[(v_input ->> 'as_of')::timestamptz],
            model.source_tenant(
                p_prediction.tenant_id, p_prediction.symbol, p_prediction.inputs
            )
        ) as n on f.ordinal = n.ordinal;
    end loop;
    select encode(sha256(string_agg(float8send(f.number), '' order by f.ordinal)), 'hex')
    into feature_hash
    from unnest(features) with ordinality as f (number, ordinal);
    difference := case
        when p_prediction.feature_hash is null then 'the digest of its features was not kept'
        when feature_hash <> p_prediction.feature_hash
            then format('it was made of other features: SHA-256 %s', p_prediction.feature_hash)
    end;
exception
    when others then
        features := null;
        feature_hash := null;
        difference := sqlerrm;
end
$$;
revoke all on function model.replay_as(text, api.prediction) from public;
comment on function model.replay_as(text, api.prediction) is
'Recomputes the row of numbers that a prediction was made of, and its digest, by the card of its '
'version, from what feature_pit_snapshot_in() of each set and its like answer in p_schema, public '
'or api, at the moment and in the generation that its inputs say. difference: what keeps it from '
'being the same; NULL: it is. Step of model.replay() and api.replay().';
