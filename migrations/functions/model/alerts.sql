-- depends: functions/model/drifted functions/model/measured views/model/alias
--   views/model/answer views/model/disagreement
create or replace function model.alerts(p_from timestamptz, p_to timestamptz) returns table (
    model text, version integer, kind text, session_day date, value double precision,
    threshold double precision, message text
)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with serving as (
        select
            v.model,
            v.version,
            (v.card #>> '{metrics,auc}')::double precision as trained_auc,
            (v.card #>> '{thresholds,psi}')::double precision as psi,
            (v.card #>> '{thresholds,auc_drop}')::double precision as auc_drop,
            (v.card #>> '{thresholds,max_error_rate}')::double precision as max_error_rate,
            (v.card #>> '{thresholds,max_latency_ms}')::double precision as max_latency_ms,
            (v.card #>> '{thresholds,max_disagreement}')::double precision as max_disagreement,
            coalesce((v.card #>> '{thresholds,min_requests}')::double precision, 100) as least
        from model.version as v
        where exists (
            select from model.alias as a where a.model = v.model and a.version = v.version
        )
    ),

    answered as (
        select
            a.model,
            a.version,
            count(*) as predictions,
            avg((a.route = 'fallback')::integer::double precision) as fallbacks,
            percentile_cont(0.99) within group (order by a.latency_ms) as latency_ms
        from model.answer as a
        where a.alias <> 'shadow' and a.predicted_at >= p_from and a.predicted_at < p_to
        group by a.model, a.version
    ),

    distance as (
        select
            a.model,
            s.version,
            count(*) as predictions,
            avg(abs(s.value - a.value)) as distance
        from model.answer as a
        inner join model.answer as s
            on a.tenant_id = s.tenant_id and a.prediction_id = s.prediction_id
        where
            a.alias <> 'shadow'
            and s.alias = 'shadow'
            and a.predicted_at >= p_from
            and a.predicted_at < p_to
            and a.value between -1e100 and 1e100
            and s.value between -1e100 and 1e100
        group by a.model, s.version
    ),

    found as (
        select
            s.model, s.version, 'drift' as kind, d.session_day, d.psi as value,
            s.psi as threshold,
            format('%s has drifted: PSI %s', d.column_name, round(d.psi::numeric, 3)) as said
        from serving as s
        inner join model.drifted(p_from, p_to) as d using (model, version)
        where d.psi > s.psi and d.questions >= s.least
        union all
        select
            s.model, s.version, 'performance', m.session_day, s.trained_auc - m.auc, s.auc_drop,
            format(
                'as %s it ranks worse than in training: AUC %s, %s then', m.alias,
                round(m.auc::numeric, 3), round(s.trained_auc::numeric, 3)
            )
        from serving as s
        inner join model.measured(p_from, p_to) as m using (model, version)
        where s.trained_auc - m.auc > s.auc_drop and m.labelled >= s.least
        union all
        select
            s.model, s.version, 'latency', null, a.latency_ms, s.max_latency_ms,
            format('one of a hundred answers takes %s ms', round(a.latency_ms::numeric, 1))
        from serving as s
        inner join answered as a using (model, version)
        where a.latency_ms > s.max_latency_ms and a.predictions >= s.least
        union all
        select
            s.model, s.version, 'errors', null, a.fallbacks, s.max_error_rate,
            format('%s %% of its answers stand in for a canary that failed',
                round(100 * a.fallbacks::numeric, 2))
        from serving as s
        inner join answered as a using (model, version)
        where a.fallbacks > s.max_error_rate and a.predictions >= s.least
        union all
        select
            s.model, s.version, 'disagreement', null, d.distance, s.max_disagreement,
            format('as shadow it is %s from what is answered', round(d.distance::numeric, 3))
        from serving as s
        inner join distance as d using (model, version)
        where d.distance > s.max_disagreement and d.predictions >= s.least
        union all
        select
            r.model, r.version, 'labels', null, r.failures, 0,
            format('labels of tenant %s do not come: %s', r.tenant_id, coalesce(
                r.message, format('their SQL runs since %s', r.began_at)
            ))
        from model.label_run as r
        where
            r.sqlstate is not null
            or (r.ended_at is null and r.began_at < clock_timestamp() - interval '10 minutes')
    )

    select
        f.model,
        f.version,
        f.kind,
        f.session_day,
        f.value,
        f.threshold,
        format('%s, version %s: %s', f.model, f.version, f.said)
    from found as f
$$;
revoke all on function model.alerts(timestamptz, timestamptz) from public;
comment on function model.alerts(timestamptz, timestamptz) is
'model.alert of what was asked, and answered, in [p_from, p_to); columns: as there.';
