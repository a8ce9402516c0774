create or replace function model.set_canary_share(p_model text, p_share double precision)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    lock table model.rollout in share row exclusive mode;
    if not exists (select from model.version as v where v.model = p_model) then
        raise exception 'there is no model %', p_model
            using errcode = 'undefined_object', hint = 'Register it: model.register().';
    elsif p_share is null or p_share not between 0 and 1 then
        raise exception 'the share of a canary is %', coalesce(p_share::text, 'NULL')
            using errcode = 'invalid_parameter_value', hint = 'Give one from 0 to 1.';
    end if;
    insert into model.rollout (model, canary_share) values (p_model, p_share);
end
$$;
revoke all on function model.set_canary_share(text, double precision) from public;
comment on function model.set_canary_share(text, double precision) is
'Sets which share of pairs of tenant and symbol the canary of a model answers, from 0 to 1, from '
'the router''s next look on. An audit event. Errors: 42704 for a model that is not registered, '
'22023 for another share.';
