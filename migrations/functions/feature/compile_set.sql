-- depends: functions/feature/define_formula functions/feature/minutes_model
--   functions/feature/name_of functions/feature/passed_on functions/feature/published_list
--   functions/feature/query_of functions/feature/tick_queries functions/feature/window_query
--   functions/feature/window_sources
create or replace function feature.compile_set(p_set market.feature_set) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_name constant text := p_set.feature_set;
    c_model constant regclass := format('feature.%I', p_set.model)::regclass;
    c_bars constant regclass := format('intermediate.%I', p_set.bar_model)::regclass;
    c_keys constant text := 'series_no integer, bucket timestamp with time zone';
    v_typed text[] := array['', ''];
    v_inputs jsonb := feature.tick_queries();
    v_closes text := '';
    v_joined text := '';
begin
    select array[
        coalesce(string_agg(t.typed, '' order by t.place) filter (where t.is_own), ''),
        coalesce(string_agg(t.typed, '' order by t.place) filter (where not t.is_own), '')
    ]
    into v_typed
    from (
        select
            f.place,
            f.is_own,
            format(
                ', %I %s', f.field,
                coalesce(to_regtype(c.data_type)::text, 'timestamp with time zone')
            ) as typed
        from feature.published_field() as f
        left join market.contract as c on f.feature_set = c.feature_set and f.field = c.field
        where f.feature_set = c_name
    ) as t;
    if p_set.made_of <> 'tick' then
        v_inputs := jsonb_build_object(
            feature.minutes_model(c_name),
            format(
                'select series_no as tenant_id, symbol, bar, closes_at, bucket%s '
                'from pg_temp.series_minute',
                feature.published_list(p_set.made_of, 'all', ', %I')
            )
        );
        v_closes := ', e.closes_at';
        v_joined := e'\ninner join (\n    select m.series_no, min(m.closes_at) as closes_at\n'
            '    from pg_temp.series_minute as m\n    group by m.series_no\n'
            ') as e on f.tenant_id = e.series_no';
    elsif c_name <> 'market_1m' then
        v_closes := ', f.bucket + interval ''1 minute''';
    end if;
    perform feature.define_formula(
        format(
            'feature.%s() returns TABLE(%s%s)', feature.name_of(c_name, 'own_value'), c_keys,
            v_typed[1]
        ),
        feature.query_of(array[c_bars], v_inputs)
        || format(
            e'\n\nselect f.tenant_id, f.bucket%s%s\nfrom %I as f%s',
            v_closes,
            replace(feature.published_list(c_name, 'own', ', f.%I'), ', f.closes_at', ''),
            p_set.bar_model, v_joined
        ),
        'What a bar has by itself: those fields of each series and bar of the temporary tables '
        || case
            when p_set.made_of = 'tick' then 'series_trade, series_quote and series_bar, which are '
                'ordered by series_no, ts and seq'
            else 'series_minute, which is ordered by series_no and bucket'
        end
        || '. Made of ' || c_bars || ' by feature.compile().'
    );
    if v_typed[2] <> '' then
        perform feature.define_formula(
            format(
                'feature.%s() returns TABLE(%s%s)', feature.name_of(c_name, 'window_value'), c_keys,
                v_typed[2]
            ),
            feature.window_query(
                c_name, c_model, c_bars,
                (
                    select jsonb_object_agg(
                        s.model,
                        format(
                            'select series_no as tenant_id, symbol, bucket%s from pg_temp.%I',
                            s.fields, s.step
                        )
                    )
                    from feature.window_sources(c_name) as s
                ),
                'pg_temp.window_output'
            ),
            'What a bar has of other bars: those fields of each series and bar of the temporary '
            'table window_output, from the own fields in window_bar, and those of another set in '
            'window_bar_<set>. Made of what ' || c_model || ' joins to ' || c_bars
            || ' by feature.compile().'
        );
    end if;
end
$$;
revoke all on function feature.compile_set(market.feature_set) from public;
comment on function feature.compile_set(market.feature_set) is
'Makes the functions own_value and window_value of a set (feature.name_of()) of its dbt models. '
'For feature.compile().';
