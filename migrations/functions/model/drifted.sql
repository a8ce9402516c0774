-- depends: functions/model/question_values
create or replace function model.drifted(
    p_from timestamptz, p_to timestamptz, p_model text default null
) returns table (
    model text, version integer, session_day date, column_name text, questions bigint,
    psi double precision
)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with reference as (
        select
            v.model,
            v.version,
            r.entry ->> 'column' as column_name,
            array(
                select e.edge::double precision
                from jsonb_array_elements_text(r.entry -> 'bins') with ordinality as e (edge, place)
                order by e.place
            ) as edges,
            array(
                select e.share::double precision
                from jsonb_array_elements_text(r.entry -> 'shares')
                    with ordinality as e (share, place)
                order by e.place
            ) as shares
        from model.version as v
        cross join lateral jsonb_array_elements(nullif(v.card -> 'reference', 'null')) as r (entry)
    ),

    counted as (
        select
            n.model,
            n.version,
            n.session_day,
            n.column_name,
            r.shares,
            case
                when n.number = 'NaN' then cardinality(r.shares)
                else width_bucket(n.number, r.edges) + 1
            end as bin,
            count(*)::double precision as rows
        from model.question_values(p_from, p_to, p_model) as n
        inner join reference as r
            on n.model = r.model and n.version = r.version and n.column_name = r.column_name
        group by n.model, n.version, n.session_day, n.column_name, r.shares, bin
    ),

    share as (
        select
            t.model,
            t.version,
            t.session_day,
            t.column_name,
            t.rows,
            greatest(coalesce(c.rows, 0) / t.rows, 0.0001) as share_now,
            greatest(b.share, 0.0001) as share_then
        from (
            select
                d.model,
                d.version,
                d.session_day,
                d.column_name,
                d.shares,
                sum(d.rows) as rows
            from counted as d
            group by d.model, d.version, d.session_day, d.column_name, d.shares
        ) as t
        cross join lateral unnest(t.shares) with ordinality as b (share, bin)
        left join counted as c
            on
                t.model = c.model
                and t.version = c.version
                and t.session_day is not distinct from c.session_day
                and t.column_name = c.column_name
                and b.bin = c.bin
    )

    select
        s.model,
        s.version,
        s.session_day,
        s.column_name,
        max(s.rows)::bigint as questions,
        sum((s.share_now - s.share_then) * ln(s.share_now / s.share_then)) as psi
    from share as s
    group by s.model, s.version, s.session_day, s.column_name
$$;
revoke all on function model.drifted(timestamptz, timestamptz, text) from public;
comment on function model.drifted(timestamptz, timestamptz, text) is
'model.stability of what was asked as of [p_from, p_to), of one model (p_model) or of all; '
'columns: as there. Recomputes the features of the questions, each in its generation, of 10,000 of '
'a version and session day at most.';
