-- depends: functions/model/session_days views/model/answer
create or replace function model.questions(
    p_from timestamptz, p_to timestamptz, p_model text default null
) returns table (
    model text, version integer, alias text, session_day date, tenant_id integer, symbol text,
    as_of timestamptz, value double precision, inputs jsonb, predictions bigint
)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with answer as (
        select
            a.model,
            a.version,
            a.alias,
            a.tenant_id,
            a.symbol,
            a.as_of,
            a.value,
            min(a.inputs::text)::jsonb as inputs,
            count(*) as predictions
        from model.answer as a
        where
            a.as_of >= p_from
            and a.as_of < p_to
            and isfinite(a.as_of)
            and (p_model is null or a.model = p_model)
        group by a.model, a.version, a.alias, a.tenant_id, a.symbol, a.as_of, a.value
    ),

    extent as (
        select
            min(a.as_of) as first,
            max(a.as_of) as last
        from answer as a
    )

    select
        a.model,
        a.version,
        a.alias,
        d.days[width_bucket(a.as_of, d.opens)] as session_day,
        a.tenant_id,
        a.symbol,
        a.as_of,
        a.value,
        a.inputs,
        a.predictions
    from answer as a
    left join (
        select s.*
        from extent as e
        cross join lateral model.session_days(e.first, e.last + interval '1 minute') as s
    ) as d on a.symbol = d.symbol
$$;
revoke all on function model.questions(timestamptz, timestamptz, text) from public;
comment on function model.questions(timestamptz, timestamptz, text) is
'What was asked as of [p_from, p_to), and answered, of one model (p_model) or of all: one row per '
'version, alias, tenant, symbol, moment and score, however often it was asked (predictions), so '
'that who asks each second weighs no more than who asks once. session_day: the local day on which '
'the last session of the instrument''s calendar opened by then, as it is known now; NULL: none.';
