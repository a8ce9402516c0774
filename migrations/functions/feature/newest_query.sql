-- depends: functions/feature/collapse_frames functions/feature/newest_bars
--   functions/feature/published_of functions/feature/window_query functions/feature/window_sources
create or replace function feature.newest_query(
    p_set market.feature_set, p_source text, p_is_trial boolean default false
) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_name constant text := p_set.feature_set;
    c_set constant record := feature.published_of(c_name);
    v_from record;
    v_bars text;
    v_inputs jsonb := '{}';
    v_query text;
begin
    for v_from in
        select
            s.*,
            o.log,
            o.always
        from feature.window_sources(c_name) as s
        cross join lateral feature.published_of(s.feature_set) as o
    loop
        if p_is_trial then
            v_bars := format(
                'select bucket%s from pg_temp.%I where series_no = newest_bar.series_no '
                'and bucket <= newest_bar.bucket order by bucket',
                v_from.fields, v_from.step
            );
        else
            v_bars := feature.newest_bars(
                v_from.log, v_from.always, v_from.fields, c_set.bars, c_set.minutes, v_from.is_own
            );
            if v_from.is_own then
                v_bars := v_bars || ' union all select newest_bar.bucket'
                || replace(v_from.fields, ', ', ', newest_bar.');
            end if;
        end if;
        v_inputs := v_inputs || jsonb_build_object(
            v_from.model,
            format(
                'select newest_bar.series_no as tenant_id, newest_bar.symbol, r.* from (%s) as r',
                v_bars
            )
        );
    end loop;
    v_query := feature.window_query(
        c_name, format('feature.%I', p_set.model)::regclass,
        format('intermediate.%I', p_set.bar_model)::regclass, v_inputs,
        '(select newest_bar.series_no, newest_bar.bucket)'
    );
    return format(
        e'select v.*\nfrom %s\ncross join lateral (\n%s\n) as v',
        p_source, coalesce(feature.collapse_frames(v_query, 'newest_bar.bucket'), v_query)
    );
end
$$;
revoke all on function feature.newest_query(market.feature_set, text, boolean) from public;
comment on function feature.newest_query(market.feature_set, text, boolean) is
'The query of the windows of a set''s bars that are each the newest of their series: of p_source, '
'aliased newest_bar, with series_no, tenant_id, symbol, bucket and the own fields that windows '
'read, series_no, bucket and the fields over windows. Earlier bars, and those of other sets, are '
'read from the logs; p_is_trial: from window_bar and window_bar_<set>. For feature.compile().';
