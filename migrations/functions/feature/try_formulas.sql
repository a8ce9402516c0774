create or replace function feature.try_formulas() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    drop table if exists pg_temp.changed, pg_temp.series_trade, pg_temp.series_quote,
        pg_temp.series_bar, pg_temp.window_bar, pg_temp.window_output;
    create temp table changed on commit drop as
    select
        1 as series_no,
        b.tenant_id,
        b.symbol,
        b.bucket
    from feature.changed_bar as b
    where false;
    perform feature.collect_changed_ticks(now());
    execute format(
        'create temp table window_bar on commit drop as '
        'select 1 as series_no, l.symbol, l.bucket%s from feature.log as l where false',
        feature.published_list('input', ', l.%I')
    );
    create temp table window_output on commit drop as
    select
        b.series_no,
        b.bucket
    from window_bar as b;
    perform set_config('feature.moment', now()::text, true);
    perform feature.reach();
    perform from feature.own_value();
    perform from feature.window_value();
    drop table pg_temp.changed, pg_temp.series_trade, pg_temp.series_quote, pg_temp.series_bar,
        pg_temp.window_bar, pg_temp.window_output;
end
$$;
revoke all on function feature.try_formulas() from public;
comment on function feature.try_formulas() is
'Evaluates the compiled formulas over no ticks and no bars, so that what is wrong with them is '
'said when they are made, and not by the next publish.';
