-- depends: functions/feature/define_fields functions/feature/define_formula
--   functions/feature/note_births functions/feature/published_list functions/feature/query_of
--   functions/feature/tick_queries functions/feature/try_formulas
create or replace function feature.compile_former() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_model constant regclass := 'feature.feature_1m';
    v_own text[];
    v_own_columns text;
    v_windows text[];
    v_window_columns text;
    v_bars text;
begin
    -- in those releases what has a view of its name was a window, and read closes
    select
        array_agg(c.field order by c.ordinal) filter (where c.is_own),
        string_agg(c.typed, '' order by c.ordinal) filter (where c.is_own),
        array_agg(c.field order by c.ordinal) filter (where not c.is_own),
        string_agg(c.typed, '' order by c.ordinal) filter (where not c.is_own)
    into v_own, v_own_columns, v_windows, v_window_columns
    from (
        select
            f.ordinal,
            f.field,
            format(', %I %s', f.field, format_type(m.atttypid, null)) as typed,
            to_regclass(format('feature.%I', f.field)) is null as is_own
        from market.contract as f
        inner join pg_attribute as m on m.attrelid = c_model and f.field = m.attname
        inner join pg_attribute as l
            on l.attrelid = 'feature.log'::regclass and f.field = l.attname
        where f.feature_set = 'market_1m'
    ) as c;
    if v_own is null then
        return;
    end if;
    perform feature.define_fields(jsonb_build_object('market_1m', to_jsonb(v_own)));
    perform feature.define_formula(
        format(
            'feature.own_value() returns TABLE(series_no integer, '
            'bucket timestamp with time zone%s)', v_own_columns
        ),
        feature.query_of(array[c_model], feature.tick_queries())
        || format(
            e'\n\nselect f.tenant_id, f.bucket%s\nfrom feature_1m as f',
            feature.published_list('market_1m', 'own', ', f.%I')
        ),
        'What a bar has of its own ticks, until dbt has run. Made by feature.compile_former().'
    );
    select
        'select series_no as tenant_id, symbol, bucket'
        || string_agg(
            case
                when p.is_input then format(', %I', a.attname)
                else format(', null::%s as %I', format_type(a.atttypid, null), a.attname)
            end, '' order by a.attnum
        )
        || ' from pg_temp.window_bar'
    into v_bars
    from pg_attribute as a
    left join feature.published_field() as p
        on p.feature_set = 'market_1m' and a.attname = p.field
    where
        a.attrelid = 'market.bar_1m'::regclass
        and a.attnum > 0
        and a.attname <> all(array['tenant_id', 'symbol', 'bucket']);
    perform feature.define_formula(
        format(
            'feature.window_value() returns TABLE(series_no integer, '
            'bucket timestamp with time zone%s)', v_window_columns
        ),
        feature.query_of(array[c_model], jsonb_build_object(
            'bar_1m', v_bars,
            'ohlc_1m', v_bars,
            'flow_1m', 'select * from market.flow_1m where false',
            'quote_1m', 'select * from market.quote_1m where false',
            'mid_1m', 'select * from market.mid_1m where false'
        ))
        || format(
            e'\n\nselect f.tenant_id, f.bucket%s\nfrom feature_1m as f\n'
            'inner join pg_temp.window_output as o\n'
            '    on f.tenant_id = o.series_no and f.bucket = o.bucket',
            feature.published_list('market_1m', 'window', ', f.%I')
        ),
        'What a bar has of other bars, until dbt has run. Made by feature.compile_former().'
    );
    perform feature.try_formulas('market_1m');
    perform feature.note_births();
end
$$;
revoke all on function feature.compile_former() from public;
comment on function feature.compile_former() is
'As feature.compile(), of the models of a release that had no bar model yet: with what is made of '
'them publishing goes on from an upgrade until dbt has run.';
