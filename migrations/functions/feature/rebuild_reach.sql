-- depends: functions/feature/hold_rebuild functions/feature/published_of
create or replace function feature.rebuild_reach(
    p_run integer,
    p_set text,
    out length interval,
    out ahead interval,
    out kept_from timestamptz,
    out range_to timestamptz
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_run constant feature.rebuild_run := feature.hold_rebuild(p_run);
    c_set constant record := feature.published_of(p_set);
begin
    -- about as much to read each
    length := case
        when c_set.made_of = 'tick' then interval '1 day'
        when c_set.span is null then interval '90 days'
        else c_set.span * 400
    end;
    -- a bar that begins before has minutes after
    ahead := case
        when c_set.made_of = 'tick' then interval '0' else coalesce(c_set.span, interval '1 day')
    end;
    kept_from := c_run.kept_from;
    range_to := c_run.known_to;
end
$$;
revoke all on function feature.rebuild_reach(integer, text) from public;
grant execute on function feature.rebuild_reach(integer, text) to market_operator;
comment on function feature.rebuild_reach(integer, text) is
'How feature.rebuild_set() goes over the set p_set: how long a stretch is (length), how much '
'earlier than a minute a bar that has it can begin (ahead), from where on ticks are there '
'(kept_from) and before which moment the last bar begins (range_to).';
