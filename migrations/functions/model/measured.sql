-- depends: functions/model/questions
create or replace function model.measured(
    p_from timestamptz, p_to timestamptz, p_model text default null
) returns table (
    model text, version integer, alias text, session_day date, predictions bigint,
    questions bigint, labelled bigint, log_loss double precision, brier double precision,
    auc double precision, hit_rate double precision, calibration_error double precision,
    mean_score double precision, mean_label double precision
)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with question as materialized (
        select
            q.model,
            q.version,
            q.alias,
            q.session_day,
            q.predictions,
            q.value as score,
            l.value as label,
            dense_rank() over (order by q.model, q.version, q.alias, q.session_day) as part
        from model.questions(p_from, p_to, p_model) as q
        left join model.label as l
            on
                q.model = l.model
                and q.version = l.version
                and q.tenant_id = l.tenant_id
                and q.symbol = l.symbol
                and q.as_of = l.as_of
    ),

    -- scores that are equal share the mean of their ranks
    ranked as (
        select
            q.part,
            q.score,
            q.label,
            least(greatest(q.score, 1e-12), 1 - 1e-12) as held,
            q.label in (0, 1) as is_class,
            q.label in (0, 1) and q.score between 0 and 1 as is_share,
            rank() over (partition by q.part order by q.score)
            + (count(*) over (partition by q.part, q.score) - 1) / 2.0::double precision as place,
            least(floor(case when q.score between 0 and 1 then q.score end * 10), 9) as tenth
        from question as q
        -- beyond these a square is out of range; NaN is greater than all
        where q.label between -1e100 and 1e100 and q.score between -1e100 and 1e100
    ),

    calibrated as (
        select
            t.part,
            sum(abs(t.scores - t.labels)) / sum(t.rows) as calibration_error
        from (
            select
                r.part,
                sum(r.score) as scores,
                sum(r.label) as labels,
                count(*) as rows
            from ranked as r
            group by r.part, r.tenth
        ) as t
        group by t.part
    ),

    metric as (
        select
            r.part,
            bool_and(r.is_class) as are_classes,
            bool_and(r.is_share) as are_shares,
            count(*) as labelled,
            -avg(case r.label when 1 then ln(r.held) when 0 then ln(1 - r.held) end) as log_loss,
            avg(
                -- so is that of the smallest
                case when abs(r.score - r.label) > 1e-100 then (r.score - r.label) ^ 2 else 0 end
            ) as brier,
            sum(r.place) filter (where r.label = 1) as places,
            count(*) filter (where r.label = 1)::double precision as ones,
            count(*) filter (where r.label = 0)::double precision as zeros,
            avg(((r.score > 0.5) = (r.label > 0.5))::integer::double precision) as hit_rate,
            avg(r.score) as mean_score,
            avg(r.label) as mean_label
        from ranked as r
        group by r.part
    ),

    asked as (
        select
            q.part,
            q.model,
            q.version,
            q.alias,
            q.session_day,
            sum(q.predictions)::bigint as predictions,
            count(*) as questions
        from question as q
        group by q.part, q.model, q.version, q.alias, q.session_day
    )

    select
        a.model,
        a.version,
        a.alias,
        a.session_day,
        a.predictions,
        a.questions,
        coalesce(m.labelled, 0) as labelled,
        case when m.are_shares then m.log_loss end as log_loss,
        m.brier,
        case
            when m.are_classes
                then (m.places - m.ones * (m.ones + 1) / 2) / nullif(m.ones * m.zeros, 0)
        end as auc,
        case when m.are_shares then m.hit_rate end as hit_rate,
        case when m.are_shares then c.calibration_error end as calibration_error,
        m.mean_score,
        m.mean_label
    from asked as a
    left join metric as m on a.part = m.part
    left join calibrated as c on a.part = c.part
$$;
revoke all on function model.measured(timestamptz, timestamptz, text) from public;
comment on function model.measured(timestamptz, timestamptz, text) is
'model.live_metric of what was asked as of [p_from, p_to), of one model (p_model) or of all; '
'columns: as there.';
