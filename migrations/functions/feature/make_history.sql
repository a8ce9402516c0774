create or replace function feature.make_history(
    p_tenant_ids integer[],
    p_symbols text[],
    p_from timestamptz,
    p_to timestamptz,
    p_live_from timestamptz
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_reach constant record := feature.reach();
begin
    perform set_config('feature.moment', p_live_from::text, true);
    drop table if exists pg_temp.slice, pg_temp.slice_trade, pg_temp.slice_quote,
        pg_temp.slice_bar, pg_temp.moment, pg_temp.series_trade, pg_temp.series_quote,
        pg_temp.series_bar, pg_temp.own,
        pg_temp.bar_state, pg_temp.stable, pg_temp.disturbance, pg_temp.epoch,
        pg_temp.epoch_output, pg_temp.span, pg_temp.window_bar, pg_temp.window_output,
        pg_temp.window_value, pg_temp.timeline, pg_temp.history_version, pg_temp.failed;

    create temp table slice on commit drop as
    select
        s.place::integer as series_no,
        s.tenant_id,
        s.symbol,
        market.bars_from(s.symbol) as bars_from,
        feature.bars_before(
            s.tenant_id, s.symbol, p_from - v_reach.minutes * interval '1 minute', v_reach.bars + 1
        ) as context_from
    from unnest(p_tenant_ids, p_symbols) with ordinality as s (tenant_id, symbol, place);
    analyze slice;
    perform feature.collect_slice_ticks(p_from, p_to, p_live_from);

    perform feature.find_moments(p_live_from);
    perform feature.collect_moment_ticks();
    perform feature.evaluate(
        'own_value', 'own', array['series_trade', 'series_quote', 'series_bar'],
        'select m.moment_no as series_no, s.tenant_id, s.symbol from moment as m '
        'inner join slice as s on m.series_no = s.series_no'
    );
    perform feature.leave_out();

    perform feature.find_epochs();
    perform feature.find_epoch_outputs(p_from);
    perform feature.collect_epoch_bars();
    perform feature.evaluate(
        'window_value', 'window_value', array['window_bar', 'window_output'],
        'select e.epoch_no as series_no, s.tenant_id, s.symbol from epoch as e '
        'inner join slice as s on e.series_no = s.series_no'
    );
    perform feature.leave_out();

    perform feature.make_timeline(p_from);
    perform feature.make_history_versions();
end
$$;
revoke all on function feature.make_history(
    integer[], text[], timestamptz, timestamptz, timestamptz
) from public;
comment on function feature.make_history(
    integer[], text[], timestamptz, timestamptz, timestamptz
) is
'Makes the temporary tables slice, the series with what their bars are made of (bars_from) and '
'the moment from which these ticks are read (context_from), timeline and history_version: what is '
'to be appended of the series'' bars with bucket in [p_from, p_to). It reads ticks known by '
'p_live_from and no log. p_tenant_ids, p_symbols: the series, element by element. Step of '
'feature.backfill_slice().';
