create or replace function model.register(
    p_model text, p_version integer, p_tenant_id integer, p_run_id text, p_card jsonb
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_known model.version;
begin
    perform model.refuse_card(p_model, p_tenant_id, p_card);
    insert into model.version (model, version, tenant_id, run_id, card)
    values (p_model, p_version, p_tenant_id, p_run_id, p_card)
    on conflict (model, version) do nothing;
    if found then
        return;
    end if;
    select v.*
    into strict v_known
    from model.version as v
    where v.model = p_model and v.version = p_version;
    if (v_known.tenant_id, v_known.run_id, v_known.card)
        is distinct from (p_tenant_id, p_run_id, p_card)
    then
        raise exception 'version % of model % is registered already, of run %, with another %',
            p_version, p_model, v_known.run_id,
            case when v_known.card = p_card then 'run or tenant' else 'card' end
            using errcode = 'unique_violation',
            hint = 'What served a prediction stays: register the next version.';
    end if;
end
$$;
revoke all on function model.register(text, integer, integer, text, jsonb) from public;
comment on function model.register(text, integer, integer, text, jsonb) is
'Makes a version of a model known: p_tenant_id, whose features it learned from; p_run_id, the run '
'of MLflow that made it; p_card, model.json of its bundle, which model.replay(), '
'model.note_labels() and the views of model read. Registered again as it is nothing happens. '
'Serves nobody until model.promote(). Call it as market_deploy: the label''s SQL that it brings is '
'run by the database. An audit event. Errors: 23505 for a version that is there with another card, '
'22023 for a card that cannot be used, 23514 for a name other than of a-z, 0-9 and _.';
