-- depends: functions/feature/define_formula functions/feature/window_inputs
--   functions/feature/refuse_formula functions/feature/span_of
create or replace function feature.define_fields(p_sets jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_set text;
    v_own text[];
    v_inputs text[];
    v_always text;
    v_fields text := '';
    v_reads text := '';
begin
    for v_set, v_own in
        select
            s.key,
            array(select jsonb_array_elements_text(s.value))
        from jsonb_each(p_sets) as s
    loop
        v_inputs := feature.window_inputs(v_set, v_own);
        if v_set = 'market_1m' then
            v_always := (
                select c.field
                from market.contract as c
                where
                    c.feature_set = v_set
                    and c.field = any(v_own)
                    and coalesce(c.null_when, '') = ''
                order by c.field = any(v_inputs) desc, c.ordinal
                limit 1
            );
            if v_always is null then
                perform feature.refuse_formula(
                    'no own field of market_1m is there in every bar: one must have an empty '
                    'null_when, or a bar that has gone could not be told from one that is there'
                );
            end if;
        else
            -- a column of the other logs
            v_always := 'closes_at';
            v_fields := v_fields || format(
                e',\n(%L, 0, ''closes_at'', true, false, true)', v_set
            );
        end if;
        v_fields := v_fields || (
            select string_agg(
                format(
                    e',\n(%L, %s, %L, %L::boolean, %L::boolean, %L::boolean)', v_set, c.ordinal,
                    c.field, c.field = any(v_own), c.field = any(v_inputs), c.field = v_always
                ), '' order by c.ordinal
            )
            from market.contract as c
            where c.feature_set = v_set
        );
        v_reads := v_reads || coalesce((
            select string_agg(
                format(
                    e'union all select %L, %L, %L, %s\n', v_set, split_part(i.name, '.', 1),
                    split_part(i.name, '.', 2), i.place
                ), '' order by i.place
            )
            from unnest(v_inputs) with ordinality as i (name, place)
            where position('.' in i.name) > 0
        ), '');
    end loop;
    perform feature.define_formula(
        'feature.published_field() returns TABLE(feature_set text, place integer, field text, '
        'is_own boolean, is_input boolean, is_always boolean)',
        'values' || ltrim(v_fields, ','),
        'The fields that publishes and backfills write, by set in the order of market.contract '
        '(place): whether a bar has it by itself (is_own), whether windows read it of other bars '
        '(is_input), and the one that every bar has and none that has gone (is_always). Made of '
        'market.contract and the dbt models by feature.compile().'
    );
    perform feature.define_formula(
        'feature.read_field() returns TABLE(feature_set text, from_set text, field text, '
        'place integer)',
        e'select null::text, null::text, null::text, null::integer where false\n' || v_reads,
        'The fields of other sets, from_set, that windows of a set read. Made as '
        'feature.published_field().'
    );
    perform feature.define_formula(
        'feature.published_set() returns TABLE(feature_set text, place integer, made_of text, '
        'span interval, reach_bars integer, reach_minutes integer)',
        (
            select 'values' || string_agg(
                format(
                    e'\n(%L, %s, %L, %L::interval, %s, %s)', s.feature_set, s.ordinality, s.made_of,
                    feature.span_of(s.grain), s.reach_bars, s.reach_minutes
                ), ',' order by s.ordinality
            )
            from feature.set_order() with ordinality as s
            where p_sets ? s.feature_set
        ),
        'The sets that publishes and backfills write, in their order (place), as '
        'market.feature_set says. Made as feature.published_field().'
    );
end
$$;
revoke all on function feature.define_fields(jsonb) from public;
comment on function feature.define_fields(jsonb) is
'Makes feature.published_field(), read_field() and published_set() of p_sets: name of a set -> '
'array of the fields that a bar of it has by itself. For feature.compile(). Errors: 0A000 where no '
'own field of market_1m is there in every bar.';
