create or replace function model.promote(
    p_model text, p_alias text, p_version integer, p_reason text, p_evidence jsonb default '{}'
) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_promotion_id bigint;
begin
    -- the last number of an alias is the last to commit
    lock table model.promotion in share row exclusive mode;
    if not exists (select from model.version as v where v.model = p_model) then
        raise exception 'there is no model %', p_model
            using errcode = 'undefined_object', hint = 'Register it: model.register().';
    elsif p_version is not null and not exists (
        select from model.version as v where v.model = p_model and v.version = p_version
    ) then
        raise exception 'model % has no version %', p_model, p_version
            using errcode = 'undefined_object',
            hint = format(
                'It has %s.',
                (
                    select string_agg(v.version::text, ', ' order by v.version)
                    from model.version as v
                    where v.model = p_model
                )
            );
    end if;
    insert into model.promotion (model, alias, version, reason, evidence)
    values (p_model, p_alias, p_version, p_reason, coalesce(p_evidence, '{}'))
    returning promotion_id into v_promotion_id;
    return v_promotion_id;
end
$$;
revoke all on function model.promote(text, text, integer, text, jsonb) from public;
comment on function model.promote(text, text, integer, text, jsonb) is
'Gives the alias p_alias of a model, champion, canary or shadow, to a version; p_version NULL: '
'takes it away. p_reason: why, for people; p_evidence: what it was decided on. Returns the number '
'of the promotion. It asks no question: make promote does, and refuses. An audit event. Errors: '
'42704 for a model or a version that is not registered, 23514 for another alias or an empty '
'reason, 23502 for none.';
