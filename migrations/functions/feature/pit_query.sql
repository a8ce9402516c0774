-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
--   functions/feature/tell_definitions
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function feature.{name pit_query}(
    p_as_of timestamptz[], p_tenant_id integer, p_oldest interval, p_shortest interval,
    p_longest interval, p_log text default null
) returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    -- as long as a chunk of feature.{name log}, and cut where they are
    c_slice constant interval := interval '{chunk}';
    c_origin constant timestamptz := timestamptz '1970-01-01 00:00:00+00';
    c_pair constant text := $q$
        select
            p.place,
            p.symbol,
            p.as_of,
            least(coalesce(p.known_as_of, p.as_of), $5) as known_as_of,
            t.tenant_id,
            feature.bar_key(t.tenant_id, p.symbol, {begins p.as_of}) as key
        from unnest($1, $2, $3) with ordinality as p (symbol, as_of, known_as_of, place)
        %s
        -- neighbours in the index, and in the log, one after the other
        order by key
    $q$;
    v_any constant text := feature.{name pit_any}(
        p_oldest, p_shortest, p_longest, p_log
    );
    v_branches text;
    -- a second one: the answer is told of
    c_told constant boolean := exists (
        select from feature.definition as d where d.feature_set = '{set}' offset 1
    );
    v_firsts timestamptz[];
    v_lasts timestamptz[];
begin
    select
        string_agg(
            feature.{name pit_branch}(s.starts, c_slice, v_any, p_shortest, p_log), ' union all '
        ),
        array_agg(s.first),
        array_agg(s.last)
    into v_branches, v_firsts, v_lasts
    from (
        select
            date_bin(c_slice, a.moment, c_origin) as starts,
            min(a.moment) as first,
            max(a.moment) as last
        from unnest(p_as_of) as a (moment)
        group by 1
    ) as s;

    return format(
        $q$
            with pair as materialized (%1$s),

            -- made when the first bar is looked at that is not fresh
            session as materialized (
                select s.*
                from feature.pit_sessions(
                    %3$L, %4$L, %5$L,
                    (select min(p.known_as_of) from pair as p),
                    (select max(p.known_as_of) from pair as p)
                ) as s
            )

            %2$s
            select
                a.symbol,
                a.as_of,
                a.known_as_of,
                a.bucket,
                a.known_at,
                { a.%I },
                coalesce(a.is_stale, true)
            from %6$s as a
            %7$s
            order by a.place
        $q$,
        format(
            c_pair,
            case
                when p_tenant_id is null
                    then 'left join feature.series as t on p.symbol = t.symbol'
                else 'cross join (select $4 as tenant_id) as t'
            end
        ),
        case when c_told then format(', answer as materialized (%s)', v_branches) end,
        v_firsts, v_lasts, p_oldest,
        case when c_told then 'answer' else format('(%s)', v_branches) end,
        case
            when c_told then
                'where (select feature.tell_definitions(''{set}'', array_agg(m.made_by)) '
                'from answer as m where m.bucket is not null)'
        end
    );
end
$$;
revoke all on function feature.{name pit_query}(
    timestamptz[], integer, interval, interval, interval, text
) from public;
comment on function feature.{name pit_query}(
    timestamptz[], integer, interval, interval, interval, text
) is
'The statement that answers public.{prefix}_pit_snapshot(), without its checks. p_as_of: the '
'moments, from which it takes the chunks to read; p_tenant_id: whose, NULL: of whichever tenant '
'has the symbol; p_oldest: bars that start longer before as_of are not looked for; p_shortest, '
'p_longest: of the maxima of market.contract; p_log: which log, default feature.{name log}, or '
'what feature.former_log() returns. Its parameters: p_symbols, p_as_of, p_known_as_of, '
'p_tenant_id, the last publish, the maxima in the contract''s order. One row per element, in '
'order. Where several tenants have a symbol it gives a row of each: feature.check_names() comes '
'first. Where the set has had several definitions it warns of those that the answer mixes.';
$sql$);
