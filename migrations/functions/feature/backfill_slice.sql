create or replace function feature.backfill_slice(
    p_tenant_ids integer[], p_symbols text[], p_from timestamptz, p_to timestamptz
) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
as $$
declare
    v_clock feature.clock;
    v_reach constant record := feature.reach();
begin
    -- No publish meanwhile: which bars it has versions of must not change.
    select c.* into strict v_clock from feature.clock as c for update;
    perform set_config('feature.moment', v_clock.live_from::text, true);
    drop table if exists pg_temp.slice, pg_temp.slice_trade, pg_temp.slice_quote,
        pg_temp.moment, pg_temp.series_trade, pg_temp.series_quote, pg_temp.own,
        pg_temp.bar_state, pg_temp.stable, pg_temp.disturbance, pg_temp.epoch,
        pg_temp.epoch_output, pg_temp.span, pg_temp.window_bar, pg_temp.window_output,
        pg_temp.window_value, pg_temp.timeline;

    create temp table slice on commit drop as
    select
        s.place::integer as series_no,
        s.tenant_id,
        s.symbol,
        feature.bars_before(
            s.tenant_id, s.symbol, p_from - v_reach.minutes * interval '1 minute', v_reach.bars + 1
        ) as context_from
    from unnest(p_tenant_ids, p_symbols) with ordinality as s (tenant_id, symbol, place);
    analyze slice;
    perform feature.collect_slice_ticks(p_from, p_to, v_clock.live_from);

    perform feature.find_moments(v_clock.live_from);
    perform feature.collect_moment_ticks();
    create temp table own on commit drop as select * from feature.own_value();
    analyze own;

    perform feature.find_epochs();
    perform feature.find_epoch_outputs(p_from);
    perform feature.collect_epoch_bars();
    create temp table window_value on commit drop as select * from feature.window_value();
    analyze window_value;

    perform feature.make_timeline(p_from);
    return feature.append_history(v_clock.live_from);
end
$$;
revoke all on function feature.backfill_slice(
    integer[], text[], timestamptz, timestamptz
) from public;
grant execute on function feature.backfill_slice(
    integer[], text[], timestamptz, timestamptz
) to market_operator;
comment on function feature.backfill_slice(integer[], text[], timestamptz, timestamptz) is
'The versions of some series'' bars with bucket in [p_from, p_to), built from the ticks and '
'appended where a bar has none as early. p_tenant_ids, p_symbols: the series, element by element. '
'Returns how many were appended. Called by feature.backfill().';
