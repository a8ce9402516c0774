-- depends: functions/feature/bars_before functions/feature/bars_closed_before
--   functions/feature/collect_slice_versions functions/feature/published_of
create or replace function feature.make_history(
    p_set text,
    p_tenant_ids integer[],
    p_symbols text[],
    p_from timestamptz,
    p_to timestamptz,
    p_born_at timestamptz
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    c_ticks constant boolean := c_set.made_of = 'tick';
    v_read text;
begin
    perform set_config('feature.moment', p_born_at::text, true);
    perform feature.drop_steps();

    create temp table slice on commit drop as
    select
        s.place::integer as series_no,
        s.tenant_id,
        s.symbol,
        market.bars_from(s.symbol) as bars_from,
        case
            when c_ticks then feature.bars_before(
                s.tenant_id, s.symbol, p_from - c_set.minutes * interval '1 minute', c_set.bars + 1
            )
            else feature.bars_closed_before(
                p_set, s.tenant_id, s.symbol, p_from - c_set.minutes * interval '1 minute',
                c_set.bars + 1
            )
        end as context_from
    from unnest(p_tenant_ids, p_symbols) with ordinality as s (tenant_id, symbol, place);
    analyze slice;
    if c_ticks then
        perform feature.collect_slice_ticks(p_from, p_to, p_born_at);
    end if;
    perform feature.collect_slice_versions(p_set, p_to, p_born_at);

    perform feature.find_moments(p_set, p_born_at);
    if c_ticks then
        perform feature.collect_moment_ticks();
    else
        perform feature.collect_moment_minutes(p_set);
    end if;
    perform feature.evaluate(
        feature.name_of(p_set, 'own_value'), 'own',
        case
            when c_ticks then array['series_trade', 'series_quote', 'series_bar']
            else array['series_minute']
        end,
        'select m.moment_no as series_no, s.tenant_id, s.symbol from moment as m '
        'inner join slice as s on m.series_no = s.series_no'
    );
    perform feature.leave_out();
    -- a bar is there when those are that it reads
    foreach v_read in array feature.sets_read(p_set) loop
        execute format(
            'delete from own as o using moment as m where o.series_no = m.moment_no and not exists ('
            'select from %I as r where r.series_no = m.series_no and r.bucket = m.bucket '
            'and m.known_at >= r.known_at and m.known_at < r.superseded_at and r.is_there)',
            'slice_read_' || v_read
        );
    end loop;

    perform feature.find_epochs(p_set);
    perform feature.find_epoch_outputs(p_from);
    perform feature.collect_epoch_bars(p_set);
    if feature.published_list(p_set, 'window', '%s') <> '' then
        perform feature.evaluate(
            feature.name_of(p_set, 'window_value'), 'window_value',
            array['window_bar', 'window_output']
            || array(select 'window_bar_' || s from unnest(feature.sets_read(p_set)) as s),
            'select e.epoch_no as series_no, s.tenant_id, s.symbol from epoch as e '
            'inner join slice as s on e.series_no = s.series_no'
        );
        perform feature.leave_out();
    else
        create temp table window_value (series_no integer, bucket timestamptz) on commit drop;
    end if;

    perform feature.make_timeline(p_set, p_from);
    perform feature.make_history_versions(p_set);
end
$$;
revoke all on function feature.make_history(
    text, integer[], text[], timestamptz, timestamptz, timestamptz
) from public;
comment on function feature.make_history(
    text, integer[], text[], timestamptz, timestamptz, timestamptz
) is
'Makes the temporary tables slice, the series with what their bars are made of (bars_from) and the '
'moment from which these are read (context_from), timeline and history_version: what is to be '
'appended to the set p_set of the series'' bars with bucket in [p_from, p_to). It reads ticks '
'known by p_born_at, of other sets the log, and of p_set no log. p_tenant_ids, p_symbols: the '
'series, element by element. Step of feature.backfill_slice().';
