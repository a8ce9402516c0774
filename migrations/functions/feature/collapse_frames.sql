create or replace function feature.collapse_frames(p_query text, p_bucket text) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    -- what stands between parentheses, with three more levels of them
    c_one constant text := '[^()]*(?:\([^()]*\)[^()]*)*';
    c_two constant text := replace('[^()]*(?:\(#\)[^()]*)*', '#', c_one);
    c_args constant text := replace('[^()]*(?:\(#\)[^()]*)*', '#', c_two);
    c_call constant text := '\m(\w+)\((' || c_args || ')\)(?: FILTER \(WHERE (' || c_args
        || ')\))? OVER (\w+)';
    c_frame constant text := '(\w+) AS \(PARTITION BY (\w+)\.tenant_id, \2\.symbol '
        'ORDER BY \2\.bucket (ROWS|RANGE) BETWEEN (\d+|''[^'']+''::interval) PRECEDING '
        'AND CURRENT ROW\)';
    v_step text[];
    v_items text;
    v_frames jsonb;
    v_values text;
    v_call text[];
    v_place integer := 0;
begin
    -- the last step with windows: what it selects, from what, and its windows
    select s.step into v_step
    from string_to_table(p_query, 'SELECT ') with ordinality as p (part, place)
    cross join regexp_match(
        p.part, '^((.*)\n +FROM (\w+)\n +WINDOW ([^\n]+))(.*)$'
    ) as s (step)
    where p.part ~ ' OVER '
    order by p.place desc
    limit 1;
    if v_step is null or v_step[5] ~ ' OVER ' then
        return null;
    end if;
    -- where the newest bar's frame begins
    select jsonb_object_agg(
        f.found[1],
        case f.found[3]
            when 'RANGE' then format('%s - %s', p_bucket, f.found[4])
            else format(
                'coalesce((select b.bucket from %I as b order by b.bucket desc offset %s limit 1), '
                '''-infinity'')', v_step[3], f.found[4]
            )
        end
    ) into v_frames
    from regexp_matches(v_step[4], c_frame, 'g') as f (found)
    where f.found[2] = v_step[3];

    v_items := v_step[2];
    for v_call in select c.found from regexp_matches(v_items, c_call, 'g') as c (found) loop
        if not coalesce(v_frames ? v_call[4], false) or v_call[1] <> 'first_value' and not exists (
            select from pg_proc as p
            where p.proname = v_call[1] and p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'a'
        ) then
            return null;
        end if;
        v_place := v_place + 1;
        v_items := regexp_replace(v_items, c_call, 'newest_frame.value_' || v_place);
        v_values := concat_ws(
            e',\n', v_values,
            format(
                case v_call[1]
                    when 'first_value' then '(array_agg(%2$s) filter (where %3$s))[1] as value_%4$s'
                    else '%1$s(%2$s) filter (where %3$s) as value_%4$s'
                end,
                v_call[1], v_call[2],
                concat_ws(
                    ' and ', format('%I.bucket >= %I.%I', v_step[3], 'newest_start', v_call[4]),
                    v_call[3]
                ),
                v_place
            )
        );
    end loop;
    if v_place = 0 or v_items ~ ' OVER ' then
        return null;
    end if;
    return replace(
        p_query, v_step[1],
        format(
            e'%1$s\nFROM %2$I\ncross join (\nselect %3$s\nfrom %2$I\ncross join (select %4$s) as '
            'newest_start\n) as newest_frame\nwhere %2$I.bucket = %5$s',
            v_items, v_step[3], v_values,
            (
                select string_agg(format('%s as %I', f.value, f.key), ', ')
                from jsonb_each_text(v_frames) as f
            ),
            p_bucket
        )
    );
end
$$;
revoke all on function feature.collapse_frames(text, text) from public;
comment on function feature.collapse_frames(text, text) is
'The query p_query, of one series'' bars, for its newest bar p_bucket alone: in its last step with '
'windows each frame is added up once, where it ends with that bar, and not for every bar. It is '
'read as PostgreSQL writes a view''s query; NULL where that step has other windows than named ones '
'of a series, in order of time, that end with the current row, or other functions over them than '
'aggregates and first_value(). For feature.compile_newest().';
