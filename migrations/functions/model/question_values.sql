-- depends: functions/model/question_numbers functions/model/questions functions/model/source_tenant
create or replace function model.question_values(
    p_from timestamptz, p_to timestamptz, p_model text default null
)
returns table (
    model text, version integer, session_day date, column_name text, number double precision
)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with question as materialized (
        select
            q.*,
            row_number() over () as place
        from (
            select
                d.*,
                -- as good as all for a distribution, and bounded
                row_number() over (
                    partition by d.model, d.version, d.session_day
                    order by hashtextextended(d.symbol || d.as_of, d.tenant_id)
                ) as nth
            from (
                select distinct on (
                    a.model, a.version, a.session_day, a.tenant_id, a.symbol, a.as_of, a.value
                ) a.*
                from model.questions(p_from, p_to, p_model) as a
                order by
                    a.model, a.version, a.session_day, a.tenant_id, a.symbol, a.as_of, a.value,
                    a.alias
            ) as d
        ) as q
        where q.nth <= 10000
    ),

    batch as (
        select
            s.model,
            s.version,
            s.feature_set,
            s.generation,
            s.source_tenant_id,
            array_agg(s.symbol order by s.place) as symbols,
            array_agg(s.as_of order by s.place) as as_ofs,
            array_agg(s.place order by s.place) as places
        from (
            select
                q.model,
                q.version,
                q.symbol,
                q.place,
                i.key as feature_set,
                (i.value ->> 'as_of')::timestamptz as as_of,
                (i.value ->> 'generation')::integer as generation,
                model.source_tenant(q.tenant_id, q.symbol, q.inputs) as source_tenant_id
            from question as q
            cross join lateral jsonb_each(q.inputs) as i
            where
                pg_input_is_valid(i.value ->> 'as_of', 'timestamptz')
                and pg_input_is_valid(i.value ->> 'generation', 'integer')
        ) as s
        group by s.model, s.version, s.feature_set, s.generation, s.source_tenant_id
    ),

    value_of as (
        select
            b.places[n.place] as place,
            (c.entry ->> 'feature_set') || '.' || (c.entry ->> 'field') as column_name,
            n.number
        from batch as b
        inner join model.version as v on b.model = v.model and b.version = v.version
        cross join lateral model.question_numbers(
            v.card -> 'columns', b.feature_set, b.generation, b.symbols, b.as_ofs,
            b.source_tenant_id
        ) as n
        cross join lateral (select v.card -> 'columns' -> (n.ordinal - 1)::integer as entry) as c
        union all
        select
            q.place,
            'score' as column_name,
            q.value as number
        from question as q
    )

    select
        q.model,
        q.version,
        q.session_day,
        n.column_name,
        n.number
    from value_of as n
    inner join question as q on n.place = q.place
$$;
revoke all on function model.question_values(timestamptz, timestamptz, text) from public;
comment on function model.question_values(timestamptz, timestamptz, text) is
'The numbers that versions were given for what was asked as of [p_from, p_to), of one model '
'(p_model) or of all, and their scores: one row per question and column (column_name: '
'<set>.<field>, or score), recomputed, each in its generation; of 10,000 questions of a version '
'and session day at most. NaN is NULL.';
