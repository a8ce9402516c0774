create or replace procedure feature.publish(
    p_known_at timestamptz default null, inout p_versions bigint default null
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
-- A series' last bars are read backwards from an index that is left early: the planner does not see
-- where, and would read and sort the whole history instead.
set enable_sort = off
set enable_bitmapscan = off
as $$
declare
    v_clock feature.clock;
    v_set text;
begin
    p_versions := 0;
    v_clock := feature.take_stamp(p_known_at);
    -- which bars have closed is judged by the stamp: now() is when the wait for it began
    perform set_config('feature.moment', v_clock.published_at::text, true);
    perform feature.drop_steps();
    if feature.take_changed_bars(v_clock) = 0 and not exists (
        select from feature.waiting_bar as w
        where w.closes_at <= v_clock.published_at
    ) then
        return;
    end if;
    perform feature.require_formulas();
    perform feature.collect_changed_ticks(v_clock.published_at);
    for v_set in select s.feature_set from feature.published_set() as s order by s.place loop
        p_versions := p_versions + feature.publish_set(v_set, v_clock.published_at);
    end loop;
end
$$;
revoke all on procedure feature.publish(timestamptz, bigint) from public;
grant execute on procedure feature.publish(timestamptz, bigint) to market_operator;
comment on procedure feature.publish(timestamptz, bigint) is -- noqa: LT01
'One publish: finds the closed bars whose ticks changed since the last one, recomputes them and '
'the later bars that they reach, in each set of features, and appends the versions whose values '
'differ, all stamped with the same knowledge time, in one transaction. Two at once run one after '
'the other. p_known_at: the stamp, default now; after the last one and not in the future. It reads '
'the ticks as believed at the stamp. p_versions: leave out; returns how many versions were '
'appended. Bars that were known as a whole before feature.clock.live_from and have no version are '
'left to feature.backfill(). A series whose formulas fail is set aside in that set, with a warning '
'that names it, and all others are published: see feature.set_aside. Errors: 22023 for a stamp '
'that cannot be; 42P01 when "dbt run" has not made the models.';
