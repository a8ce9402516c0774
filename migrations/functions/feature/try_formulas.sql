-- depends: functions/feature/published_of functions/feature/collect_changed_ticks
create or replace function feature.try_formulas(p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    v_from_set text;
begin
    perform feature.drop_steps();
    create temp table due on commit drop as
    select
        1 as series_no,
        b.tenant_id,
        b.symbol,
        b.bucket
    from feature.changed_bar as b
    where false;
    perform feature.collect_changed_ticks(now());
    if c_set.made_of <> 'tick' then
        execute format(
            'create temp table series_minute on commit drop as '
            'select 1 as series_no, l.symbol, l.bucket as bar, l.bucket as closes_at, l.bucket%s '
            'from feature.%I as l where false',
            feature.published_list(c_set.made_of, 'all', ', l.%I'),
            feature.name_of(c_set.made_of, 'log')
        );
    end if;
    execute format(
        'create temp table window_bar on commit drop as '
        'select 1 as series_no, l.symbol, l.bucket%s from %s as l where false',
        feature.published_list(p_set, 'input', ', l.%I'), c_set.log
    );
    foreach v_from_set in array feature.sets_read(p_set) loop
        execute format(
            'create temp table %I on commit drop as '
            'select 1 as series_no, l.symbol, l.bucket%s from feature.%I as l where false',
            'window_bar_' || v_from_set, feature.read_list(p_set, v_from_set, ', l.%1$I'),
            feature.name_of(v_from_set, 'log')
        );
    end loop;
    create temp table window_output on commit drop as
    select
        b.series_no,
        b.bucket
    from window_bar as b;
    perform set_config('feature.moment', now()::text, true);
    execute format('select from feature.%I()', feature.name_of(p_set, 'own_value'));
    if feature.published_list(p_set, 'window', '%s') <> '' then
        execute format('select from feature.%I()', feature.name_of(p_set, 'window_value'));
    end if;
    perform feature.drop_steps();
end
$$;
revoke all on function feature.try_formulas(text) from public;
comment on function feature.try_formulas(text) is
'Evaluates the compiled formulas of a set over no ticks and no bars, so that what is wrong with '
'them is said when they are made, and not by the next publish.';
