-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function public.{prefix}_pit_snapshot(
    p_symbols text[], p_as_of timestamptz[], p_known_as_of timestamptz[] default null,
    p_tenant_id integer default null
) returns setof feature.{name pit_row}
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
-- Bounds known to the planner leave one chunk or two: read as plain tables these cost a third of
-- what choosing among chunks at each probe does (bench/pit).
set "timescaledb.enable_chunk_append" = off
set "timescaledb.enable_skipscan" = off
set jit = off
set work_mem = '64MB'
as $$
declare
    -- no market closes for longer: an older bar is stale without counting its trading hours
    c_oldest constant interval := interval '31 days';
    -- ticks are accepted from then on
    c_first constant timestamptz := timestamptz '2000-01-01 00:00:00+00';
    v_symbol constant text := p_symbols[array_lower(p_symbols, 1)];
    v_as_of constant timestamptz := p_as_of[array_lower(p_as_of, 1)];
    v_known_as_of constant timestamptz := p_known_as_of[array_lower(p_known_as_of, 1)];
    v_max interval[];
    v_shortest interval;
    v_longest interval;
    v_is_plain boolean;
    v_published_at timestamptz;
    v_tenant_id integer;
    v_known_from timestamptz;
    v_known_to timestamptz;
    v_limits bigint;
begin
    -- one pair is asked as one moment is
    if array_ndims(p_symbols) = 1 and cardinality(p_symbols) = 1 and v_symbol is not null
        and array_ndims(p_as_of) = 1 and cardinality(p_as_of) = 1
        and v_as_of between c_first and clock_timestamp()
        and (
            p_known_as_of is null
            or array_ndims(p_known_as_of) = 1 and cardinality(p_known_as_of) = 1
            and v_known_as_of between c_first and clock_timestamp()
        )
    then
        return query
        select s.*
        from feature.{name pit_last}(
            array[v_symbol], v_as_of, v_known_as_of, p_tenant_id, true
        ) as s;
        if found then
            return;
        end if;
    end if;
    perform feature.check_pairs(p_symbols, p_as_of, p_known_as_of);
    select
        coalesce(bool_and(h.tenants = 1), true),
        -- where all are of one tenant, no pair looks for its own
        coalesce(p_tenant_id, case when min(h.tenant_id) = max(h.tenant_id) then min(h.tenant_id) end)
    into v_is_plain, v_tenant_id
    from (
        select
            count(s.tenant_id) as tenants,
            min(s.tenant_id) as tenant_id
        from (select distinct p.symbol from unnest(p_symbols) as p (symbol)) as d
        left join feature.series as s
            on d.symbol = s.symbol and (p_tenant_id is null or s.tenant_id = p_tenant_id)
        group by d.symbol
    ) as h;
    if not v_is_plain then
        perform feature.check_names(p_symbols, p_tenant_id);
    end if;
    if not v_is_plain or exists (select from feature.waiting_history) then
        perform feature.warn_waiting(p_symbols, p_as_of, p_tenant_id);
    end if;
    perform feature.warn_beyond(p_symbols, p_as_of);
    -- nothing known by the last publish is still to be written
    select c.published_at into strict v_published_at from feature.clock as c;
    -- what was known of the contract when
    if exists (
        select from market.contract_version as c
        where c.feature_set = '{set}' and c.known_at > '-infinity'
    ) then
        select
            min(least(coalesce(p.known_as_of, p.as_of), v_published_at)),
            max(least(coalesce(p.known_as_of, p.as_of), v_published_at))
        into v_known_from, v_known_to
        from unnest(p_as_of, p_known_as_of) as p (as_of, known_as_of);
    end if;
    select l.maxima, l.shortest, l.longest, count(*) over ()
    into v_max, v_shortest, v_longest, v_limits
    from feature.contract_limits(
        '{set}', coalesce(v_known_from, '-infinity'), coalesce(v_known_to, '-infinity')
    ) as l;
    if coalesce(cardinality(v_max), 0) = 0 then
        raise exception 'set {set} has no field in market.contract'
            using errcode = 'object_not_in_prerequisite_state', hint = 'Run "make migrate".';
    end if;
    if cardinality(p_as_of) = 0 then
        return;
    end if;
    if v_limits > 1 then
        return query
        select s.*
        from feature.{name pit_apart}(
            p_symbols, p_as_of, p_known_as_of, v_tenant_id, v_known_from, v_known_to, v_published_at
        ) as s;
        return;
    end if;
    return query execute feature.{name pit_query}(
        p_as_of, v_tenant_id, c_oldest + v_longest, v_shortest, v_longest
    )
    using p_symbols, p_as_of, p_known_as_of, v_tenant_id, v_published_at, v_max;
end
$$;
revoke all on function public.{prefix}_pit_snapshot(text[], timestamptz[], timestamptz[], integer)
from public;
grant execute on function public.{prefix}_pit_snapshot(text[], timestamptz[], timestamptz[], integer)
to market_reader;
comment on function public.{prefix}_pit_snapshot(text[], timestamptz[], timestamptz[], integer) is
'What was known? One row per element, in order, duplicates kept. Of the versions in '
'feature.{name log} with known_at <= known_as_of, the newest of each bar counts; of the bars that '
'have not gone, the latest that has closed by as_of is the answer. p_symbols, p_as_of: the pairs. '
'p_known_as_of: default p_as_of; held to the last publish (feature.clock), and returned as it was '
'used: the same question with it always has the same answer. p_tenant_id: default the one tenant '
'that has the symbol. Columns: symbol, as_of, known_as_of, bucket (start of the bar), known_at '
'(when this version of it became known), the fields of {set} in the order of market.contract, '
'is_stale. A field older than its max_staleness_s, counted from the bar''s close in trading hours '
'of the symbol''s calendar, is NULL and the row is_stale; so is a symbol without a bar, or whose '
'bar is more than 31 days old. Maximum, calendar and sessions are those that were known by '
'known_as_of. Beyond the end of a calendar hours count by the clock, with a warning; another one '
'says where the rows were made by more than one definition of the set. Errors: 22004 for NULL, '
'2202E when the arrays differ in length or have more than one dimension, 22023 for a time in the '
'future or before the year 1, 42P08 when several tenants have the symbol, 42704 for a symbol that '
'neither market.instrument nor any feature has, and for such a tenant.';

create or replace function public.{prefix}_pit_snapshot(
    p_symbols text[], p_as_of timestamptz, p_known_as_of timestamptz default null,
    p_tenant_id integer default null
) returns setof feature.{name pit_row}
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
-- one plan for all calls: planning takes longer than reading, and so does leaving chunks out
set plan_cache_mode = force_generic_plan
set "timescaledb.enable_chunk_append" = off
set "timescaledb.enable_constraint_aware_append" = off
set enable_seqscan = off
set jit = off
as $$
declare
    -- nearly always the last few minutes hold the bar
    c_last constant interval := interval '{last}';
    -- no chunk of the log is in the columnstore by then, which has no index but that of its segments
    c_together constant boolean := {keyed} and p_as_of > clock_timestamp() - interval '182 days';
    -- each of them is looked for in every chunk: of more it pays to leave chunks out
    c_few constant integer := case when c_together then 3 else 8 end;
    v_known_as_of timestamptz;
    v_is_plain boolean;
    v_bars integer;
    v_got integer;
    v_done integer := 0;
    v_row feature.{name pit_row};
    v_may_mix boolean;
begin
    select
        least(coalesce(p_known_as_of, p_as_of), c.published_at),
        -- no bar of the last minutes is stale, and nothing waits that one must be warned of
        not exists (
            select from market.contract_version as t
            where
                t.feature_set = '{set}'
                and t.max_staleness_s < extract(epoch from c_last)::integer
        )
        and not exists (select from feature.waiting_history),
        exists (
            select from feature.definition as d where d.feature_set = '{set}' offset 1
        )
    into strict v_known_as_of, v_is_plain, v_may_mix
    from feature.clock as c;

    if v_is_plain and array_ndims(p_symbols) = 1 and array_lower(p_symbols, 1) = 1
        and array_position(p_symbols, null) is null
        and greatest(p_as_of, p_known_as_of) <= clock_timestamp()
        and least(p_as_of, p_known_as_of) >= timestamptz '2000-01-01 00:00:00+00'
    then
        if cardinality(p_symbols) <= c_few and not v_may_mix then
            for v_row in
                select
                    p.symbol,
                    p_as_of,
                    v_known_as_of,
                    case when not ({gone n}) then n.bucket end,
                    n.known_at,
                    { n.%I },
                    false
                from unnest(p_symbols) with ordinality as p (symbol, place)
                left join lateral (
                    select l.*
                    from feature.{name log} as l
                    where
                        -- of no tenant where several have the symbol
                        l.tenant_id = (
                            select case when count(*) = 1 then min(s.tenant_id) end
                            from feature.series as s
                            where
                                s.symbol = p.symbol
                                and (p_tenant_id is null or s.tenant_id = p_tenant_id)
                        )
                        and l.symbol = p.symbol
                        and l.known_at <= v_known_as_of
                        and {closed l p_as_of}
                        and l.bucket > p_as_of - c_last
                    order by l.bucket desc, l.known_at desc
                    limit 1
                ) as n on true
                order by p.place
            loop
                -- no bar, or one that has gone
                exit when v_row.bucket is null;
                return next v_row;
                v_done := v_done + 1;
            end loop;
        elsif c_together then
            -- nearly always the last two hold the bar, of sparse symbols the last few; where
            -- definitions may mix, of all symbols or of none, for one warning
            foreach v_bars in array array[2, 4] loop
                return query
                select s.*
                from feature.{name pit_moment}(
                    p_symbols[v_done + 1 :], p_as_of, v_known_as_of, p_tenant_id, v_bars, v_may_mix
                ) as s;
                get diagnostics v_got = row_count;
                v_done := v_done + v_got;
                exit when v_done = cardinality(p_symbols);
            end loop;
        else
            return query
            select s.*
            from feature.{name pit_last}(
                p_symbols, p_as_of, p_known_as_of, p_tenant_id, v_may_mix
            ) as s;
            get diagnostics v_done = row_count;
        end if;
    end if;

    if v_done = cardinality(p_symbols) then
        return;
    -- the rest, and whatever is to be refused
    elsif v_done = 0 then
        return query
        select s.*
        from public.{prefix}_pit_snapshot(
            p_symbols,
            feature.for_each(p_symbols, p_as_of),
            feature.for_each(p_symbols, p_known_as_of),
            p_tenant_id
        ) as s;
    else
        return query
        select s.*
        from public.{prefix}_pit_snapshot(
            p_symbols[v_done + 1 :],
            feature.for_each(p_symbols[v_done + 1 :], p_as_of),
            feature.for_each(p_symbols[v_done + 1 :], p_known_as_of),
            p_tenant_id
        ) as s;
    end if;
end
$$;
revoke all on function public.{prefix}_pit_snapshot(text[], timestamptz, timestamptz, integer)
from public;
grant execute on function public.{prefix}_pit_snapshot(text[], timestamptz, timestamptz, integer)
to market_reader;
comment on function public.{prefix}_pit_snapshot(text[], timestamptz, timestamptz, integer) is
'The same for several symbols at one moment: see the form with arrays.';

create or replace function public.{prefix}_pit_snapshot(
    p_symbols text[], p_as_of text, p_known_as_of text default null,
    p_tenant_id integer default null
) returns setof feature.{name pit_row}
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select s.*
    from public.{prefix}_pit_snapshot(
        p_symbols, p_as_of::timestamptz, p_known_as_of::timestamptz, p_tenant_id
    ) as s
$$;
revoke all on function public.{prefix}_pit_snapshot(text[], text, text, integer) from public;
grant execute on function public.{prefix}_pit_snapshot(text[], text, text, integer)
to market_reader;
comment on function public.{prefix}_pit_snapshot(text[], text, text, integer) is
'The same for a moment written as a plain literal, which could otherwise be taken for an array: '
'see the form with arrays.';
$sql$);
