-- depends: functions/market/last_version functions/market/reference_key
create or replace function market.reference_changes(
    p_table text, p_source regclass default null
) returns table (
    line integer, content jsonb, known_at timestamptz, is_gone boolean, problem text
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_keys constant text[] := market.reference_key(p_table);
    -- answers that were given by then must come out again
    v_given_to constant timestamptz := (
        select greatest(c.published_at, market.last_version()) from feature.clock as c
    );
    -- what no answer can have depended on counts from the beginning
    v_is_first constant text := case
        when p_table in ('contract', 'feature_set') then format(
            'not exists (select from market.%I as o '
            'where o.feature_set = c.content ->> ''feature_set'')', p_table || '_version'
        )
        when p_table = 'instrument' then
            'c.is_new and (not exists (select from market.instrument_version) or not exists ('
            'select from feature.series as e where e.symbol = c.content ->> ''symbol''))'
        else 'not exists (select from market.calendar_version as o '
            'where o.calendar_id = c.content ->> ''calendar_id'')'
    end;
begin
    return query execute format(
        $q$
            with said as (
                select
                    (to_jsonb(s) ->> 'line')::integer as line,
                    to_jsonb(s) - '{line, known_at}'::text[] as content,
                    s.known_at as announced
                from %1$s as s
            ),

            last as (
                select distinct on (%3$s)
                    to_jsonb(v) - '{known_at, is_gone}'::text[] as content,
                    v.known_at,
                    v.is_gone
                from market.%2$I as v
                order by %3$s, v.known_at desc
            ),

            compared as (
                select
                    s.line,
                    s.announced,
                    coalesce(s.content, l.content) as content,
                    s.content is null as is_gone,
                    l.content is null as is_new,
                    l.known_at,
                    coalesce(l.content = s.content and not l.is_gone, false) as is_same
                from said as s
                full join last as l on jsonb_build_array(%4$s) = jsonb_build_array(%5$s)
                where s.content is not null or not l.is_gone
            )

            select
                c.line,
                c.content,
                case when %6$s then coalesce(c.announced, '-infinity') else c.announced end,
                c.is_gone,
                p.problem
            from compared as c
            cross join lateral (
                select case
                    when c.is_same and c.announced <> c.known_at then format(
                        'known_at %%L: this line has been known %%s, which stays so: take known_at '
                        'out, or give it back', c.announced,
                        case
                            when c.known_at = '-infinity' then 'from the beginning'
                            else 'since ' || c.known_at
                        end
                    )
                    when c.is_same then null
                    when c.announced > clock_timestamp()
                        then format('known_at %%L is in the future', c.announced)
                    when not (%6$s) and c.announced <= $1 then format(
                        'known_at %%L: answers until %%L were given without this line, and stay as '
                        'they are: leave known_at empty, and the line is known from now on',
                        c.announced, $1
                    )
                end as problem
            ) as p
            where not c.is_same or p.problem is not null
        $q$,
        coalesce(p_source::text, format('market.%I', p_table)), p_table || '_version',
        (select string_agg(format('v.%I', k.name), ', ') from unnest(c_keys) as k (name)),
        (select string_agg(format('s.content -> %L', k.name), ', ') from unnest(c_keys) as k (name)),
        (select string_agg(format('l.content -> %L', k.name), ', ') from unnest(c_keys) as k (name)),
        v_is_first
    ) using v_given_to;
end
$$;
revoke all on function market.reference_changes(text, regclass) from public;
comment on function market.reference_changes(text, regclass) is
'How the rows of p_source, by default the reference table p_table itself, differ from its last '
'versions. Columns: line, that of p_source where it has such a column; content, the row as jsonb '
'without known_at; known_at, from when the change is known: what the row says, of a row that no '
'answer can have depended on else -infinity, NULL for now; is_gone, whether the row was taken out; '
'problem, why it cannot be: known_at in the future, or before what has been answered, or other '
'than it was.';
